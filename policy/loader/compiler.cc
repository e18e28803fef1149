// SPDX-License-Identifier: LGPL-2.1-or-later

#include "policy/loader/compiler.h"

#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "broker/base/text.h"
#include "broker/program/run_program.h"

namespace openhook::loader {

namespace {

constexpr const char* kParser = "/sbin/apparmor_parser";
// 65000 to 65533 are given to nobody (Debian Policy, 9.2.2), so no other process has this user,
// and none can trace the parser as one of the same user might.
constexpr uid_t kNobodyElse = 65533;
constexpr std::chrono::seconds kDeadline{60};
constexpr rlim_t kMaxMemoryBytes = rlim_t{2} << 30;
constexpr std::size_t kShownBytes = 1000;
constexpr int kSignalled = 128;

bool Limit(int resource, rlim_t most) {
  const rlimit limit{most, most};
  return ::setrlimit(static_cast<__rlimit_resource_t>(resource), &limit) == 0;
}

// No right that is not everybody's.
bool BecomeNobody() {
  if (::chdir("/") != 0) {
    return false;
  }
  if (::geteuid() == 0 &&
      (::setgroups(0, nullptr) != 0 || ::setresgid(kNobodyElse, kNobodyElse, kNobodyElse) != 0 ||
       ::setresuid(kNobodyElse, kNobodyElse, kNobodyElse) != 0)) {
    return false;
  }
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
         Limit(RLIMIT_CORE, 0) && Limit(RLIMIT_NPROC, 0) && Limit(RLIMIT_CPU, kDeadline.count()) &&
         Limit(RLIMIT_AS, kMaxMemoryBytes);
}

// The parser's last words, on one line.
std::string LastOf(std::string words) {
  while (!words.empty() && words.back() == '\n') {
    words.pop_back();
  }
  if (words.size() > kShownBytes) {
    words = words.substr(words.size() - kShownBytes);
  }
  std::replace(words.begin(), words.end(), '\n', ' ');
  return words.empty() ? "it said nothing" : OneLine(words);
}

Result<std::string> OutputOf(ProgramRun run) {
  if (run.status > kSignalled) {
    return Fail(ErrorCode::kUnavailable, "apparmor_parser was ended by signal " +
                                             std::to_string(run.status - kSignalled) + "; " +
                                             LastOf(std::move(run.err)));
  }
  if (run.status != 0) {
    return Fail(ErrorCode::kInvalidArgument,
                "apparmor_parser does not take the profile: " + LastOf(std::move(run.err)));
  }
  if (run.out.empty()) {
    return Fail(ErrorCode::kUnavailable, "apparmor_parser made nothing of the profile");
  }
  return std::move(run.out);
}

}  // namespace

// No cache, nothing into the kernel, no processes of its own. The parser's simplification of
// expressions saves nothing here, since literal paths have none, and takes most of its time.
Result<std::string> Compile(const std::string& text, const std::string& base) {
  auto run = RunProgram({.words = {kParser, "--quiet", "--skip-kernel-load", "--skip-cache", "-j",
                                   "0", "--base", base, "-O", "no-expr-simplify", "--stdout"},
                         .input = text,
                         .deadline = kDeadline,
                         .environment = {"LC_ALL=C"},
                         .give_up_rights = BecomeNobody});
  if (!run) {
    return Fail(ErrorCode::kUnavailable, "no profile was compiled: " + run.error().Message());
  }
  return OutputOf(std::move(*run));
}

}  // namespace openhook::loader
