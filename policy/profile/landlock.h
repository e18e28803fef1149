// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The Landlock back end of the policy: a process restricts itself to named files and directories,
// for good, and needs neither privilege nor a policy package for it. The launcher does it to QEMU.
//
// A Ruleset denies every file system right that the running kernel knows, and is then opened path
// by path. What it stops and what it cannot stop depends on the kernel's ABI: DescribeLandlock()
// says it in words. The network is not handled: QEMU needs it (NBD, VNC, migration).
//
// Rights are fixed when a file is opened, by whoever opens it. So a descriptor from the broker
// works in full inside of the domain, and cannot be reopened there (/proc/self/fd/N: EACCES).

#ifndef POLICY_PROFILE_LANDLOCK_H_
#define POLICY_PROFILE_LANDLOCK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::landlock {

// The ABI of the running kernel; 0 where it has no Landlock or has it switched off.
int LandlockAbi();

// What a path is opened for.
enum class PathUse : std::uint8_t {
  kRead,              // read files, list directories
  kExecute,           // kRead, and execute
  kReadWrite,         // kRead, write, and device ioctls
  kPrivateDirectory,  // kReadWrite, and make and remove files, directories, sockets and FIFOs
};

class Ruleset {
 public:
  // Errors: kUnsupported where LandlockAbi() is 0.
  static Result<Ruleset> DenyAll();

  // Allows `use` of `path` and of everything beneath it. Symlinks in it are followed now, once.
  // Errors: kNotFound when it does not exist.
  Result<void> Allow(const std::string& path, PathUse use);
  // kSystemPaths with their uses; those that this system does not have are skipped.
  Result<void> AllowSystemPaths();

  // Puts the calling thread and its future children under the rules, irrevocably. It must have set
  // PR_SET_NO_NEW_PRIVS (or have CAP_SYS_ADMIN), and should have no other threads.
  [[nodiscard]] Result<void> RestrictSelf() const;

 private:
  Ruleset(UniqueFd fd, int abi) : fd_(std::move(fd)), abi_(abi) {}
  Result<void> AllowOpened(int path_fd, const std::string& path, PathUse use);

  UniqueFd fd_;
  int abi_;
};

struct LandlockFact {
  enum class Effect : std::uint8_t { kStopped, kNotStopped };
  Effect effect;
  std::string sentence;
};

// What a kernel with this ABI stops a restricted QEMU from doing, and what not, for people.
std::vector<LandlockFact> DescribeLandlock(int abi);

}  // namespace openhook::landlock

#endif  // POLICY_PROFILE_LANDLOCK_H_
