// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/seccomp/target.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>

#include "qemu-shim/client/umask.h"

namespace openhook::seccomp {

namespace {

constexpr std::size_t kPageBytes =
    4096;  // the smallest there is: a larger page only means more parts
constexpr std::string_view kDeleted = " (deleted)";

using ProcPath = std::array<char, 64>;

ProcPath InProc(pid_t thread, const char* name) {
  ProcPath path;
  (void)std::snprintf(path.data(), path.size(), "/proc/%d/%s", static_cast<int>(thread), name);
  return path;
}

// The beginning of /proc/PID/status: name, umask, state and process.
using Status = std::array<char, client::kStatusBytesForUmask>;

std::string_view ReadStatus(pid_t thread, Status* buffer) {
  const UniqueFd file(::open(InProc(thread, "status").data(), O_RDONLY | O_CLOEXEC));
  const ssize_t size = ::read(file.Get(), buffer->data(), buffer->size());
  return {buffer->data(), size > 0 ? static_cast<std::size_t>(size) : 0};
}

// The process of a thread; 0 when it is gone.
pid_t ProcessOf(pid_t thread) {
  constexpr std::string_view kField = "\nTgid:\t";
  Status buffer;
  const std::string_view status = ReadStatus(thread, &buffer);
  const std::size_t at = status.find(kField);
  pid_t process = 0;
  if (at != std::string_view::npos) {
    std::from_chars(status.data() + at + kField.size(), status.data() + status.size(), process);
  }
  return process;
}

std::size_t CountDescriptors(pid_t thread) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(InProc(thread, "fd").data()),
                                                      ::closedir);
  std::size_t entries = 0;
  while (directory != nullptr && ::readdir(directory.get()) != nullptr) {
    ++entries;
  }
  return entries > 2 ? entries - 2 : 0;  // "." and ".."
}

void* Pointer(std::uint64_t address) {
  // An address of the other process: never followed here. NOLINTNEXTLINE(performance-no-int-to-ptr)
  return reinterpret_cast<void*>(address);
}

}  // namespace

std::optional<std::string_view> Target::ReadPath(std::uint64_t address,
                                                 char (&buffer)[PATH_MAX]) const {
  // Parts that end at a page's end: process_vm_readv(2) transfers a part as a whole or not at all,
  // and what follows a short path may not be mapped.
  const std::size_t first = std::min<std::size_t>(kPageBytes - address % kPageBytes, PATH_MAX);
  iovec local{buffer, PATH_MAX};
  const iovec remote[] = {{Pointer(address), first}, {Pointer(address + first), PATH_MAX - first}};
  const ssize_t size = ::process_vm_readv(thread_, &local, 1, remote, 2, 0);
  if (size <= 0) {
    return std::nullopt;
  }
  const void* end = std::memchr(buffer, '\0', static_cast<std::size_t>(size));
  if (end == nullptr) {
    return std::nullopt;
  }
  return std::string_view(buffer, static_cast<std::size_t>(static_cast<const char*>(end) - buffer));
}

bool Target::Read(std::uint64_t address, void* to, std::size_t size) const {
  const iovec local{to, size};
  const iovec remote{Pointer(address), size};
  return ::process_vm_readv(thread_, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(size);
}

bool Target::Write(std::uint64_t address, const void* from, std::size_t size) const {
  // Not /proc/PID/mem: that one writes to read-only memory too.
  const iovec local{const_cast<void*>(from), size};
  const iovec remote{Pointer(address), size};
  return ::process_vm_writev(thread_, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(size);
}

std::optional<std::string_view> Target::WorkingDirectory(char (&buffer)[PATH_MAX]) const {
  const ssize_t size = ::readlink(InProc(thread_, "cwd").data(), buffer, sizeof(buffer));
  const std::string_view found(buffer, size > 0 ? static_cast<std::size_t>(size) : 0);
  // A directory may have such a name; then its files are opened natively or by absolute path.
  if (found.size() >= sizeof(buffer) || !found.starts_with('/') || found.ends_with(kDeleted)) {
    return std::nullopt;
  }
  return found;
}

mode_t Target::Umask() const {
  Status buffer;
  return client::UmaskInStatus(ReadStatus(thread_, &buffer));
}

bool Target::HasRoomForADescriptor() const {
  rlimit limit{};
  if (::prlimit(thread_, RLIMIT_NOFILE, nullptr, &limit) != 0) {
    return true;  // the kernel will tell
  }
  return CountDescriptors(thread_) < limit.rlim_cur;
}

UniqueFd Target::StandardError() const {
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, ProcessOf(thread_), 0)));
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_getfd, process.Get(), STDERR_FILENO, 0)));
}

}  // namespace openhook::seccomp
