// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/chain/reader_rights.h"

#include <cap-ng.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>

#include "broker/sandbox/descriptors.h"
#include "broker/sandbox/sanitized.h"
#include "broker/sandbox/syscall_allowlist.h"

namespace openhook::chain {

namespace {

// The overflow ids of the kernel (Documentation/admin-guide/sysctl/kernel.rst): nobody's.
constexpr uid_t kNobody = 65534;
constexpr rlim_t kMaxSeconds = 20;
constexpr rlim_t kMaxBytes = rlim_t{256} << 20;

Result<void> BecomeNobody() {
  capng_get_caps_process();
  const bool may = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETUID) != 0 &&
                   capng_have_capability(CAPNG_EFFECTIVE, CAP_SETGID) != 0;
  if (may && (::setgroups(0, nullptr) != 0 || ::setresgid(kNobody, kNobody, kNobody) != 0 ||
              ::setresuid(kNobody, kNobody, kNobody) != 0)) {
    return FailErrno(errno, "cannot give up the user");
  }
  capng_clear(CAPNG_SELECT_CAPS);
  if (capng_apply(CAPNG_SELECT_CAPS) != 0 || ::prctl(PR_SET_DUMPABLE, 0) != 0) {
    return FailErrno(errno, "cannot give up capabilities");
  }
  return {};
}

// More than a chain at every limit takes.
Result<void> BoundResources() {
  const rlimit seconds{kMaxSeconds, kMaxSeconds};
  const rlimit bytes{kMaxBytes, kMaxBytes};
  if (::setrlimit(RLIMIT_CPU, &seconds) != 0 || ::setrlimit(RLIMIT_DATA, &bytes) != 0) {
    return FailErrno(errno, "cannot bound the resources");
  }
  return {};
}

// The last two are for a process that ends itself: abort(3).
Result<void> KeepFewCalls() {
  return sandbox::SyscallAllowlist::Make("the reader of headers")
      .and_then([](sandbox::SyscallAllowlist list) {
        list.Allow(
                "recvmsg sendmsg futex exit exit_group rt_sigreturn getpid gettid "
                "rt_sigprocmask tgkill")
            .AllowMemory();
        return list.Load();
      });
}

}  // namespace

Result<void> GiveUpRights(const UniqueFd& socket) {
  sandbox::CloseAllBut(socket, sandbox::StandardStreams::kClosed);
  auto given_up = BecomeNobody();
  // The sanitizers' run times need memory and system calls of their own.
  if (sandbox::kSanitized) {
    return given_up;
  }
  return given_up.and_then(BoundResources).and_then(KeepFewCalls);
}

}  // namespace openhook::chain
