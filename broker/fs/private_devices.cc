// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/private_devices.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <optional>
#include <string_view>

#include "broker/base/canonical_path.h"
#include "broker/base/text.h"
#include "broker/fs/process.h"

namespace openhook::fs {

namespace {

constexpr std::string_view kDev = "/dev/";
constexpr int kMaxLinks = 8;
constexpr int kLookAt = O_PATH | O_NOFOLLOW | O_CLOEXEC;

using Status = std::optional<struct stat>;

Status StatusOf(const UniqueFd& file) {
  struct stat status{};
  return file.IsValid() && ::fstat(file.Get(), &status) == 0 ? Status(status) : Status();
}

Status StatusOf(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? Status(status) : Status();
}

bool AreSame(const Status& left, const Status& right) {
  return left && right && left->st_dev == right->st_dev && left->st_ino == right->st_ino;
}

// A namespace that a process makes for itself belongs to a user namespace of its own, where it may
// mount what it likes. It cannot come back from there.
bool IsGivenNamespace(const std::string& proc) {
  const std::string name = proc + "/ns/mnt";
  const UniqueFd ns(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  const Status status = StatusOf(ns);
  if (!status || AreSame(status, StatusOf("/proc/self/ns/mnt"))) {
    return false;
  }
  const UniqueFd owner(::ioctl(ns.Get(), NS_GET_USERNS));
  return AreSame(StatusOf(owner), StatusOf("/proc/self/ns/user"));
}

// Mounted there, root's alone, and not ours: libvirt makes one, where a container may show the
// host's.
bool IsPrivate(const Status& dev, const Status& root) {
  const Status ours = StatusOf("/dev");
  return dev && ours && root && dev->st_dev != ours->st_dev && dev->st_dev != root->st_dev &&
         dev->st_uid == 0 && (dev->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

// The /dev of the process. A changed root could show any directory as /dev.
UniqueFd OpenDevOf(const std::string& proc) {
  const std::string name = proc + "/root";
  const UniqueFd root(::open(name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!AreSame(StatusOf(root), StatusOf("/"))) {
    return {};
  }
  UniqueFd dev(::openat(root.Get(), "dev", kLookAt | O_DIRECTORY));
  return IsPrivate(StatusOf(dev), StatusOf(root)) ? std::move(dev) : UniqueFd();
}

// Without following a link, and without leaving the file system of `dev`.
UniqueFd OpenBelow(UniqueFd dev, std::string_view name) {
  const Status top = StatusOf(dev);
  UniqueFd at = std::move(dev);
  while (!name.empty()) {
    const std::size_t end = name.find('/');
    const std::string part(name.substr(0, end));
    at = UniqueFd(::openat(at.Get(), part.c_str(), kLookAt));
    const Status found = StatusOf(at);
    if (!found || !top || found->st_dev != top->st_dev) {
      return {};
    }
    name = end == std::string_view::npos ? "" : name.substr(end + 1);
  }
  return at;
}

// Of ours; `name` is absolute.
UniqueFd OpenInDev(std::string_view name) {
  return name.starts_with(kDev)
             ? OpenBelow(UniqueFd(::open("/dev", kLookAt | O_DIRECTORY)), name.substr(kDev.size()))
             : UniqueFd();
}

bool IsDirectoryInDev(std::string_view name) {
  const Status status = StatusOf(OpenInDev(name));
  return status && S_ISDIR(status->st_mode);
}

// Where a symlink that is open leads; empty: not known to lead to a name in /dev.
std::string TargetOf(const UniqueFd& link, const std::string& name) {
  std::array<char, PATH_MAX> target{};
  const ssize_t size = ::readlinkat(link.Get(), "", target.data(), target.size());
  const std::string_view text(target.data(), size < 0 ? 0 : static_cast<std::size_t>(size));
  const auto clean = LexicalClean(text, name.substr(0, name.rfind('/')));
  return clean ? FoldDotDot(*clean, IsDirectoryInDev) : "";
}

tl::unexpected<Error> CannotTell() {
  return Fail(ErrorCode::kUnavailable, "the process has no /dev that was made for it");
}

}  // namespace

Result<ProcessId> IdOf(pid_t pid, const UniqueFd& pidfd) {
  const auto ticks = StartTicksOf(pid);
  pollfd ended{pidfd.Get(), POLLIN, 0};
  // Asked last: a process that runs still had this pid when its start was read.
  if (!pidfd.IsValid() || !ticks || ::poll(&ended, 1, 0) != 0) {
    return Fail(ErrorCode::kNotFound, "the process has ended");
  }
  return ProcessId{pid, *ticks};
}

Result<std::string> CharacterDevice(const std::string& path) {
  std::string name = FoldDotDot(path, IsDirectoryInDev);
  for (int links = 0; links <= kMaxLinks; ++links) {
    const UniqueFd node = OpenInDev(name);
    const Status status = StatusOf(node);
    if (status && S_ISCHR(status->st_mode)) {
      return name;
    }
    if (!status || !S_ISLNK(status->st_mode)) {
      break;
    }
    name = TargetOf(node, name);
  }
  return Fail(ErrorCode::kInvalidArgument, Quote(path) + " is no character device of the host");
}

Result<bool> IsInPrivateDev(const ProcessId& process, const std::string& device) {
  const std::string proc = "/proc/" + std::to_string(process.pid);
  const Status ours = StatusOf(device);
  UniqueFd dev = OpenDevOf(proc);
  if (!ours || !dev.IsValid() || !device.starts_with(kDev)) {
    return CannotTell();
  }
  const Status theirs =
      StatusOf(OpenBelow(std::move(dev), std::string_view(device).substr(kDev.size())));
  // Asked last: what was looked at was in this namespace, and was this process'.
  if (!IsGivenNamespace(proc) || StartTicksOf(process.pid) != process.start_ticks) {
    return CannotTell();
  }
  return theirs && S_ISCHR(theirs->st_mode) && theirs->st_rdev == ours->st_rdev;
}

}  // namespace openhook::fs
