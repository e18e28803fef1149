// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/plan/sandbox.h"

#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>

#include "broker/plan/call_filter.h"
#include "broker/sandbox/sanitized.h"
#include "policy/profile/landlock.h"

namespace openhook::plan {

namespace {

// "nobody" on every Linux (the kernel's overflow uid). Not looked up: that would open files.
constexpr uid_t kNobody = 65534;
constexpr rlim_t kMemoryBytes = rlim_t{768} << 20;
constexpr rlim_t kProcessorSeconds = 15;

Result<void> Limit(int resource, rlim_t value) {
  const rlimit limit{value, value};
  if (::setrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) {
    return FailErrno(errno, "cannot limit the planning process");
  }
  return {};
}

// The sanitizers reserve terabytes of addresses.
constexpr rlim_t kAddressBytes = sandbox::kSanitized ? RLIM_INFINITY : kMemoryBytes;

Result<void> LimitResources() {
  return Limit(RLIMIT_CPU, kProcessorSeconds)
      .and_then([] { return Limit(RLIMIT_FSIZE, 0); })
      .and_then([] { return Limit(RLIMIT_NPROC, 0); })
      .and_then([] { return Limit(RLIMIT_CORE, 0); })
      .and_then([] { return Limit(RLIMIT_NOFILE, 0); })
      .and_then([] { return Limit(RLIMIT_AS, kAddressBytes); });
}

Result<void> BecomeNobody() {
  if (::geteuid() != 0) {
    return {};
  }
  if (::setgroups(0, nullptr) != 0 || ::setresgid(kNobody, kNobody, kNobody) != 0 ||
      ::setresuid(kNobody, kNobody, kNobody) != 0) {
    return FailErrno(errno, "cannot become the user nobody");
  }
  return {};
}

Result<void> ForbidFiles() {
  if (landlock::LandlockAbi() == 0) {
    return {};
  }
  const auto rules = landlock::Ruleset::DenyAll();
  return rules ? rules->RestrictSelf() : tl::make_unexpected(rules.error());
}

}  // namespace

Result<void> EnterSandbox() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return FailErrno(errno, "cannot set no_new_privs");
  }
  return BecomeNobody()
      .and_then([]() -> Result<void> {
        // After the change of user, which sets it anew.
        if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
          return FailErrno(errno, "cannot make the planning process undumpable");
        }
        return {};
      })
      .and_then(ForbidFiles)
      // The ruleset's descriptor was the last one that is needed.
      .and_then(LimitResources)
      .and_then(InstallCallFilter);
}

}  // namespace openhook::plan
