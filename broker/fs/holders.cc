// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/holders.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <string_view>

#include "broker/base/unique_fd.h"
#include "broker/fs/identity.h"
#include "broker/fs/process.h"

namespace openhook::fs {

namespace {

using Directory = std::unique_ptr<DIR, int (*)(DIR*)>;

Directory OpenDirectory(const std::string& path) { return {::opendir(path.c_str()), ::closedir}; }

// 0: the name is no number.
pid_t NumberIn(const char* name) {
  const std::string_view text = name;
  pid_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

// The link's own permission bits tell the mode of the descriptor (proc(5), /proc/pid/fd).
Held HowOpen(int descriptors, const char* number) {
  struct stat link{};
  if (::fstatat(descriptors, number, &link, AT_SYMLINK_NOFOLLOW) != 0) {
    return Held::kNot;
  }
  return (link.st_mode & S_IWUSR) != 0 ? Held::kForWriting : Held::kForReading;
}

}  // namespace

Result<HeldFiles> HeldFiles::Scan(uid_t user, const std::set<pid_t>& pids) {
  const Directory processes = OpenDirectory("/proc");
  if (!processes) {
    return Fail(ErrorCode::kUnavailable,
                "cannot look at the processes in /proc; is it mounted, without hidepid?");
  }
  HeldFiles held;
  const pid_t own = ::getpid();
  while (const dirent* entry = ::readdir(processes.get())) {
    const pid_t pid = NumberIn(entry->d_name);
    struct stat info{};
    if (pid == 0 || pid == own) {
      continue;
    }
    const bool of_user =
        ::fstatat(::dirfd(processes.get()), entry->d_name, &info, 0) == 0 && info.st_uid == user;
    if (of_user || pids.contains(pid)) {
      held.AddProcess(pid);
    }
  }
  return held;
}

void HeldFiles::AddProcess(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/fd";
  const Directory descriptors = OpenDirectory(path);
  if (!descriptors) {
    if (errno == EACCES || errno == EPERM) {
      unknown_.insert(pid);
    }
    return;  // otherwise it has ended meanwhile
  }
  const PathFd names(UniqueFd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)));
  while (const dirent* entry = ::readdir(descriptors.get())) {
    if (*entry->d_name == '.') {
      continue;
    }
    const auto identity = IdentityOfHeld(names, entry->d_name);
    if (identity && identity->kind != FileKind::kOther) {
      Held& how = held_[KeyOf(*identity)][pid];
      how = std::max(how, HowOpen(names.Get(), entry->d_name));
    }
  }
}

Held HeldFiles::How(const FileIdentity& file) const {
  Held how = unknown_.empty() ? Held::kNot : Held::kForWriting;
  if (const auto found = held_.find(KeyOf(file)); found != held_.end()) {
    for (const auto& [pid, held] : found->second) {
      how = std::max(how, held);
    }
  }
  return how;
}

std::vector<Holder> HeldFiles::HoldersOf(const FileIdentity& file) const {
  std::vector<Holder> holders;
  if (const auto found = held_.find(KeyOf(file)); found != held_.end()) {
    for (const auto& [pid, held] : found->second) {
      holders.push_back({pid, ProgramOf(pid), held});
    }
  }
  for (const pid_t pid : unknown_) {
    holders.push_back({pid, ProgramOf(pid), Held::kForWriting});
  }
  return holders;
}

}  // namespace openhook::fs
