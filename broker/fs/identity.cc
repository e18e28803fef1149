// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/identity.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <array>
#include <cstring>
#include <ctime>

namespace openhook::fs {

namespace {

constexpr unsigned kIdentityMask = STATX_TYPE | STATX_INO | STATX_BTIME | STATX_MNT_ID;
constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

FileKind KindFromMode(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return FileKind::kRegular;
    case S_IFBLK:
      return FileKind::kBlock;
    case S_IFCHR:
      return FileKind::kCharacter;
    case S_IFIFO:
      return FileKind::kFifo;
    case S_IFDIR:
      return FileKind::kDirectory;
    default:
      return FileKind::kOther;
  }
}

bool IsDevice(FileKind kind) { return kind == FileKind::kBlock || kind == FileKind::kCharacter; }

// Type (native byte order, as in struct file_handle) followed by the opaque bytes. Empty where the
// file system cannot make handles (EOPNOTSUPP) or we may not ask.
std::string HandleOf(int fd) {
  alignas(file_handle) std::array<char, sizeof(file_handle) + MAX_HANDLE_SZ> storage{};
  auto* handle = reinterpret_cast<file_handle*>(storage.data());
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount_id = 0;
  if (::name_to_handle_at(fd, "", handle, &mount_id, AT_EMPTY_PATH) != 0) {
    return {};
  }
  std::string bytes(sizeof(handle->handle_type), '\0');
  std::memcpy(bytes.data(), &handle->handle_type, sizeof(handle->handle_type));
  bytes.append(reinterpret_cast<const char*>(handle->f_handle), handle->handle_bytes);
  return bytes;
}

// Older than a second: every file made from now on has a later birth time, by any kernel's tick.
bool IsSettled(std::int64_t birth_ns) {
  timespec now{};
  (void)::clock_gettime(CLOCK_REALTIME, &now);
  return birth_ns != 0 && birth_ns / kNanosPerSecond < now.tv_sec - 1;
}

FileIdentity FromStatx(const struct statx& info) {
  FileIdentity identity;
  identity.kind = KindFromMode(info.stx_mode);
  identity.dev = makedev(info.stx_dev_major, info.stx_dev_minor);
  identity.ino = info.stx_ino;
  // 0 on kernels before 5.8, on both sides of every comparison.
  identity.mount_id = (info.stx_mask & STATX_MNT_ID) != 0 ? info.stx_mnt_id : 0;
  if (IsDevice(identity.kind)) {
    identity.rdev = makedev(info.stx_rdev_major, info.stx_rdev_minor);
  }
  if ((info.stx_mask & STATX_BTIME) != 0) {
    identity.birth_ns = info.stx_btime.tv_sec * kNanosPerSecond + info.stx_btime.tv_nsec;
  }
  return identity;
}

Result<FileIdentity> IdentityOfRaw(int fd, HandleUse handle) {
  struct statx info{};
  if (::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, kIdentityMask, &info) != 0) {
    return FailErrno(errno, "cannot read the identity of a file");
  }
  FileIdentity identity = FromStatx(info);
  if (handle == HandleUse::kRead) {
    identity.birth_settled = IsSettled(identity.birth_ns);
    identity.handle = HandleOf(fd);
  }
  return identity;
}

}  // namespace

Result<FileIdentity> IdentityOf(const PathFd& file, HandleUse handle) {
  return IdentityOfRaw(file.Get(), handle);
}

Result<FileIdentity> IdentityOf(const IoFd& file, HandleUse handle) {
  return IdentityOfRaw(file.Get(), handle);
}

std::optional<FileIdentity> IdentityOfHeld(const PathFd& descriptors, const char* number) {
  struct statx info{};
  if (::statx(descriptors.Get(), number, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, kIdentityMask,
              &info) != 0) {
    return std::nullopt;
  }
  return FromStatx(info);
}

Result<struct stat> StatOf(const PathFd& file) {
  struct stat info{};
  if (::fstat(file.Get(), &info) != 0) {
    return FailErrno(errno, "cannot stat");
  }
  return info;
}

Result<void> CheckSameInode(const IoFd& opened, const FileIdentity& expected) {
  struct stat info{};
  if (::fstat(opened.Get(), &info) != 0) {
    return FailErrno(errno, "cannot verify the opened file");
  }
  if (info.st_dev != expected.dev || info.st_ino != expected.ino ||
      KindFromMode(info.st_mode) != expected.kind) {
    return Fail(ErrorCode::kConflict, "the opened file is not the one that was granted");
  }
  return {};
}

Result<std::string> BootId() {
  const UniqueFd fd(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  std::array<char, 64> text{};
  const ssize_t length = fd.IsValid() ? ::read(fd.Get(), text.data(), text.size()) : -1;
  if (length < 36) {
    return FailErrno(errno, "cannot read /proc/sys/kernel/random/boot_id");
  }
  return std::string(text.data(), 36);
}

}  // namespace openhook::fs
