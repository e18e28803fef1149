// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The honest account of a Landlock ABI. Each sentence that depends on the ABI stands under
// "stopped" or "not stopped" accordingly; the last three hold for every ABI there is.

#include "policy/profile/landlock.h"
#include "policy/profile/landlock_abi.h"

namespace openhook::landlock {

namespace {

using Effect = LandlockFact::Effect;

// A fact that holds from `first_abi` on; below, `remedy` says what would help.
LandlockFact Since(int abi, int first_abi, const std::string& sentence, const std::string& remedy) {
  if (abi >= first_abi) {
    return {Effect::kStopped, sentence};
  }
  return {Effect::kNotStopped, sentence + " (" + remedy + ")"};
}

}  // namespace

std::vector<LandlockFact> DescribeLandlock(int abi) {
  if (abi < 1) {
    return {{Effect::kNotStopped,
             "everything that QEMU's user id may do: this kernel has no Landlock, or it is not in "
             "the kernel's lsm= list"}};
  }
  return {
      {Effect::kStopped,
       "opening, creating, linking, removing and executing files outside of the system's and the "
       "VM's own directories, and reopening a received descriptor with more rights"},
      {Effect::kStopped, "tracing or reading the memory of processes outside of the VM"},
      Since(abi, abi::kAbiWithTruncate, "truncating a file by its path",
            "needs ABI 3, Linux 6.2; give QEMU another user id than its images"),
      Since(abi, abi::kAbiWithIoctlDev, "ioctl on a device that QEMU opened itself",
            "needs ABI 5, Linux 6.10"),
      Since(abi, abi::kAbiWithScopes,
            "signals to processes outside of the VM, and connections to their abstract Unix "
            "sockets",
            "needs ABI 6, Linux 6.12"),
      {Effect::kNotStopped,
       "chmod, chown, utimes and extended attributes by path, where QEMU's user id owns the file"},
      {Effect::kNotStopped,
       "learning by stat that a file exists, where directories can be searched"},
      {Effect::kNotStopped,
       "connecting to Unix sockets by path and to the network, which QEMU needs for its own work"},
  };
}

}  // namespace openhook::landlock
