// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/plan/call_filter.h"

#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

namespace openhook::plan {

namespace {

using Context = std::unique_ptr<void, void (*)(void*)>;

// Memory, and ending; nothing here names anything outside of the process. Standard library and
// sanitizers need the second line.
constexpr int kPlainCalls[] = {
    SCMP_SYS(brk),           SCMP_SYS(munmap),
    SCMP_SYS(mremap),        SCMP_SYS(madvise),
    SCMP_SYS(exit),          SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigreturn),  SCMP_SYS(restart_syscall),
    SCMP_SYS(futex),         SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),  SCMP_SYS(sigaltstack),
    SCMP_SYS(getpid),        SCMP_SYS(gettid),
    SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),
    SCMP_SYS(getrandom),     SCMP_SYS(sched_yield),
};

class Rules {
 public:
  explicit Rules(void* context) : context_(context) {}

  void Allow(int call, const std::vector<scmp_arg_cmp>& conditions) {
    const int added =
        seccomp_rule_add_array(context_, SCMP_ACT_ALLOW, call,
                               static_cast<unsigned>(conditions.size()), conditions.data());
    status_ = status_ == 0 ? added : status_;
  }
  // The first failure: 0 or a negative errno.
  [[nodiscard]] int status() const { return status_; }

 private:
  void* context_;
  int status_ = 0;
};

constexpr scmp_arg_cmp Is(unsigned argument, scmp_datum_t value) {
  return {argument, SCMP_CMP_EQ, value, 0};
}

constexpr scmp_arg_cmp Without(unsigned argument, scmp_datum_t bits) {
  return {argument, SCMP_CMP_MASKED_EQ, bits, 0};
}

void AllowCalls(Rules* rules) {
  for (const int call : kPlainCalls) {
    rules->Allow(call, {});
  }
  rules->Allow(SCMP_SYS(read), {Is(0, STDIN_FILENO)});
  rules->Allow(SCMP_SYS(write), {Is(0, STDOUT_FILENO)});
  rules->Allow(SCMP_SYS(write), {Is(0, STDERR_FILENO)});
  // No new code, whatever was broken.
  rules->Allow(SCMP_SYS(mmap), {Without(2, PROT_EXEC)});
  rules->Allow(SCMP_SYS(mprotect), {Without(2, PROT_EXEC)});
  // abort(3) signals itself, and nobody else.
  rules->Allow(SCMP_SYS(tgkill), {Is(0, static_cast<scmp_datum_t>(::getpid()))});
}

}  // namespace

Result<void> InstallCallFilter() {
  const Context context(seccomp_init(SCMP_ACT_KILL_PROCESS), seccomp_release);
  if (context == nullptr) {
    return FailErrno(ENOMEM, "cannot make a seccomp filter");
  }
  Rules rules(context.get());
  AllowCalls(&rules);
  int status = rules.status();
  if (status == 0) {
    status = seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  }
  if (status == 0) {
    status = seccomp_load(context.get());
  }
  if (status != 0) {
    return FailErrno(-status, "cannot install the seccomp filter of the planning process");
  }
  return {};
}

}  // namespace openhook::plan
