// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One VM's right to write to one file of this host, held as an OFD lock (fcntl(2)) on a lock file,
// never on the file itself: QEMU locks that. It ends with the process, however that ends (and with
// its children: one that is forked off has to execute something, or the lock outlives us in it).
// The lock file's content names the holders for people and decides nothing.

#ifndef BROKER_FS_WRITE_LOCK_H_
#define BROKER_FS_WRITE_LOCK_H_

#include <cstdint>
#include <string>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::fs {

enum class LockMode : std::uint8_t {
  kShared,     // beside other shared ones
  kExclusive,  // alone
};

// Who holds a lock, as another VM's administrator will read it.
struct LockNote {
  std::string vm;
  std::string path;
};

class WriteLock {
 public:
  // `path` names the lock file, in a directory that only we can write to; it is made when absent.
  // Never waits. Errors: kConflict saying who has a lock in the way; else the kernel's.
  static Result<WriteLock> Take(std::string path, LockMode mode, const LockNote& note);

  // The VM other than `vm` that a lock file names as its holder, now or when it was left; empty:
  // none. A hint for refusing what nobody explains, and never a reason to give anything.
  static std::string OtherHolder(const std::string& path, const std::string& vm);

  WriteLock(WriteLock&& other) noexcept = default;
  WriteLock& operator=(WriteLock&& other) noexcept;
  WriteLock(const WriteLock&) = delete;
  WriteLock& operator=(const WriteLock&) = delete;
  ~WriteLock() { LetGo(); }

  // To exclusive: errors as Take(), and the lock stays as it was. To shared: always works.
  Result<void> ChangeTo(LockMode mode);
  [[nodiscard]] LockMode mode() const { return mode_; }

  // Ends the lock and leaves the file with our note: the broker ends, and the VM's whitelist stays.
  void Leave() noexcept;

 private:
  WriteLock(UniqueFd fd, std::string path, LockMode mode)
      : fd_(std::move(fd)), path_(std::move(path)), mode_(mode) {}
  void LetGo() noexcept;

  UniqueFd fd_;
  std::string path_;
  LockMode mode_;
};

}  // namespace openhook::fs

#endif  // BROKER_FS_WRITE_LOCK_H_
