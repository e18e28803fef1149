// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Byte 0 of a lock file is the lock itself. Each holder also locks one byte of 1 to kSlots, and
// writes its note where that slot's note belongs. So a refusal names those who hold the file now,
// and not whoever once did.

#include "broker/fs/write_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "broker/base/text.h"

namespace openhook::fs {

namespace {

constexpr off_t kModeByte = 0;
constexpr off_t kSlots = 64;  // of more holders of a shareable disk, the rest are not named
constexpr std::size_t kNoteBytes = 512;
constexpr std::size_t kShownVmBytes = 64;
// A lock file may be removed between open(2) and fcntl(2), each time by a holder that lets go.
constexpr int kMaxAttempts = 100;

using Note = std::array<char, kNoteBytes>;

bool LockByte(int fd, short type, off_t byte) {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  return ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

bool IsLockedByAnother(int fd, off_t byte) {
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  return ::fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

short TypeOf(LockMode mode) { return mode == LockMode::kExclusive ? F_WRLCK : F_RDLCK; }

// Whether the name still leads to the file that is open. One that was removed in between locks
// nothing: the next broker makes another.
bool IsStillNamed(int fd, const std::string& path) {
  struct stat opened{};
  struct stat named{};
  return ::fstat(fd, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

// "VM path", cut to its slot. A lock without a note (the disk is full) is as good.
void WriteNote(int fd, const LockNote& note) {
  const std::string text = note.vm + " " + note.path;
  Note bytes{};
  std::memcpy(bytes.data(), text.data(), std::min(text.size(), bytes.size()));
  for (off_t slot = 0; slot < kSlots; ++slot) {
    if (LockByte(fd, F_WRLCK, 1 + slot)) {
      const auto at = slot * static_cast<off_t>(bytes.size());
      (void)!::pwrite(fd, bytes.data(), bytes.size(), at);
      return;
    }
  }
}

std::string ReadNote(int fd, off_t slot) {
  Note bytes{};
  const ssize_t got =
      ::pread(fd, bytes.data(), bytes.size(), slot * static_cast<off_t>(kNoteBytes));
  return {bytes.data(), ::strnlen(bytes.data(), got > 0 ? static_cast<std::size_t>(got) : 0)};
}

std::string DescribeHolder(const std::string& note) {
  const std::size_t space = note.find(' ');
  if (space == std::string::npos) {
    return "another VM may write to it";
  }
  return "the VM " + Escape(note.substr(0, space), kShownVmBytes) +
         " may write to it, under the name " + Quote(note.substr(space + 1), kNoteBytes);
}

// A sentence about those who hold locks at this moment.
std::string DescribeHolders(int fd) {
  std::vector<std::string> notes;
  for (off_t slot = 0; slot < kSlots; ++slot) {
    if (IsLockedByAnother(fd, 1 + slot)) {
      notes.push_back(ReadNote(fd, slot));
    }
  }
  const std::string first = DescribeHolder(notes.empty() ? std::string() : notes.front());
  return notes.size() < 2 ? first
                          : first + " (and so may " + std::to_string(notes.size() - 1) + " more)";
}

Result<void> SetMode(int fd, LockMode mode, const std::string& path) {
  if (LockByte(fd, TypeOf(mode), kModeByte)) {
    return {};
  }
  if (errno == EAGAIN || errno == EACCES) {
    return Fail(ErrorCode::kConflict, DescribeHolders(fd));
  }
  return FailErrno(errno, "cannot lock " + Quote(path));
}

}  // namespace

Result<WriteLock> WriteLock::Take(std::string path, LockMode mode, const LockNote& note) {
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                       S_IRUSR | S_IWUSR));
    if (!fd.IsValid()) {
      return FailErrno(errno, "cannot open the lock file " + Quote(path));
    }
    if (auto locked = SetMode(fd.Get(), mode, path); !locked) {
      return tl::make_unexpected(locked.error());
    }
    if (IsStillNamed(fd.Get(), path)) {
      WriteNote(fd.Get(), note);
      return WriteLock(std::move(fd), std::move(path), mode);
    }
  }
  return Fail(ErrorCode::kUnavailable,
              "the lock file " + Quote(path) + " keeps changing; try again");
}

std::string WriteLock::OtherHolder(const std::string& path, const std::string& vm) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  for (off_t slot = 0; fd.IsValid() && slot < kSlots; ++slot) {
    const std::string note = ReadNote(fd.Get(), slot);
    const std::string holder = note.substr(0, note.find(' '));
    if (!holder.empty() && holder != vm) {
      return Escape(holder, kShownVmBytes);
    }
  }
  return {};
}

WriteLock& WriteLock::operator=(WriteLock&& other) noexcept {
  if (this != &other) {
    LetGo();
    fd_ = std::move(other.fd_);
    path_ = std::move(other.path_);
    mode_ = other.mode_;
  }
  return *this;
}

Result<void> WriteLock::ChangeTo(LockMode mode) {
  if (auto changed = SetMode(fd_.Get(), mode, path_); !changed) {
    return changed;
  }
  mode_ = mode;
  return {};
}

// Only who holds the file alone may remove it: everybody else that has it open then finds, after
// locking, that it lost its name. A shareable disk's file stays, until the next who holds it alone.
void WriteLock::LetGo() noexcept {
  if (!fd_.IsValid()) {
    return;
  }
  if (mode_ == LockMode::kExclusive && IsStillNamed(fd_.Get(), path_)) {
    ::unlink(path_.c_str());
  }
  Leave();
}

void WriteLock::Leave() noexcept {
  if (!fd_.IsValid()) {
    return;
  }
  // Said, and not left to close(2): a process that was forked off may have the description too.
  struct flock all{};
  all.l_type = F_UNLCK;
  all.l_whence = SEEK_SET;
  (void)::fcntl(fd_.Get(), F_OFD_SETLK, &all);
  fd_.Reset();
}

}  // namespace openhook::fs
