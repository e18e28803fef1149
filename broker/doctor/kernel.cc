// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/doctor/kernel.h"

#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdint>

#include "broker/base/unique_fd.h"
#include "broker/fs/resolve.h"
#include "policy/profile/landlock.h"

namespace openhook::doctor {

namespace {

constexpr const char* kSubject = "kernel";
// Before these, something that QEMU could do to its user's files is not stopped.
constexpr int kAbiWithTruncate = 3;
constexpr int kAbiWithSignals = 6;

Finding Release() {
  utsname names{};
  ::uname(&names);
  return {Level::kOk, kSubject, std::string("Linux ") + names.release, ""};
}

Finding Openat2() {
  if (fs::MethodInUse() == fs::ResolveMethod::kOpenat2) {
    return {Level::kOk, kSubject, "openat2: paths are resolved in one step", ""};
  }
  return {Level::kNote, kSubject,
          "no openat2 (Linux 5.6): paths are walked component by component, which is slower", ""};
}

Finding Pidfds() {
  const UniqueFd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  if (self.IsValid()) {
    return {Level::kOk, kSubject, "pidfds: a process is not mistaken for a later one", ""};
  }
  return {Level::kProblem, kSubject,
          "no pidfds (Linux 5.3): which process asks cannot be known for sure",
          "boot a newer kernel"};
}

Finding Notifications() {
  std::uint32_t action = SECCOMP_RET_USER_NOTIF;
  if (::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0) {
    return {Level::kOk, kSubject, "seccomp user notification: --mode=seccomp is possible", ""};
  }
  return {Level::kNote, kSubject,
          "no seccomp user notification: static programs cannot be served (--mode=seccomp)", ""};
}

Finding Landlock() {
  const int abi = landlock::LandlockAbi();
  const std::string name = "Landlock ABI " + std::to_string(abi);
  if (abi >= kAbiWithSignals) {
    return {Level::kOk, kSubject, name, ""};
  }
  if (abi >= kAbiWithTruncate) {
    return {Level::kNote, kSubject,
            name + ": signals and abstract sockets of the same user are not stopped", ""};
  }
  if (abi > 0) {
    return {Level::kNote, kSubject,
            name +
                ": QEMU can truncate files that its user owns; keep images root's (openhookctl "
                "adopt --secure-files)",
            ""};
  }
  return {Level::kNote, kSubject,
          "no Landlock: QEMU is confined by its user and the security module alone",
          "boot with lsm=landlock,... (/sys/kernel/security/lsm shows what is on)"};
}

}  // namespace

Findings CheckKernel() { return {Release(), Openat2(), Pidfds(), Notifications(), Landlock()}; }

}  // namespace openhook::doctor
