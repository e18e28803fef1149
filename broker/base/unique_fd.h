// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who owns a file descriptor. A raw int appears only on the line of the system call that makes or
// takes one; everything else moves these types. PathFd and IoFd keep apart what can only name a
// file (O_PATH) from what can read and write it, so that sending the former to a QEMU or reading
// from it does not compile (threat model D22: a receiver may reopen an O_PATH descriptor).
//
// Free of allocation and of the C++ run-time library: the preload shim uses it inside QEMU.

#ifndef BROKER_BASE_UNIQUE_FD_H_
#define BROKER_BASE_UNIQUE_FD_H_

#include <unistd.h>

#include <cerrno>

namespace openhook {

class UniqueFd {
 public:
  UniqueFd() noexcept = default;
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      Reset(other.Release());
    }
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { Reset(); }

  [[nodiscard]] int Get() const noexcept { return fd_; }
  [[nodiscard]] bool IsValid() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int Release() noexcept {
    const int fd = fd_;
    fd_ = kInvalid;
    return fd;
  }
  // Closes what is held. errno is preserved: destructors run between a failing call and the code
  // that reports it.
  void Reset(int fd = kInvalid) noexcept {
    if (fd_ >= 0) {
      const int saved = errno;
      ::close(fd_);
      errno = saved;
    }
    fd_ = fd;
  }

 private:
  static constexpr int kInvalid = -1;
  int fd_ = kInvalid;
};

// Names a file (opened with O_PATH). Cannot be read, written or sent.
class PathFd {
 public:
  explicit PathFd(UniqueFd fd) noexcept : fd_(static_cast<UniqueFd&&>(fd)) {}
  [[nodiscard]] int Get() const noexcept { return fd_.Get(); }

 private:
  UniqueFd fd_;
};

// Reads or writes a file. The only kind of descriptor that leaves the broker.
class IoFd {
 public:
  explicit IoFd(UniqueFd fd) noexcept : fd_(static_cast<UniqueFd&&>(fd)) {}
  [[nodiscard]] int Get() const noexcept { return fd_.Get(); }

 private:
  UniqueFd fd_;
};

}  // namespace openhook

#endif  // BROKER_BASE_UNIQUE_FD_H_
