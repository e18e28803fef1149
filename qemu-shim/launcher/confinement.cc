// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/launcher/confinement.h"

#include <sys/prctl.h>

#include <cerrno>
#include <utility>
#include <vector>

namespace openhook::launcher {

namespace {

using landlock::PathUse;
using landlock::Ruleset;

Result<void> AllowEach(const std::vector<std::string>& paths, PathUse use, Ruleset* rules) {
  for (const std::string& path : paths) {
    if (auto allowed = rules->Allow(path, use); !allowed) {
      return allowed;
    }
  }
  return {};
}

Result<Ruleset> RulesFor(const Options& options, const std::string& program, const ShimFile& shim) {
  auto rules = Ruleset::DenyAll();
  if (!rules) {
    return rules;
  }
  const auto allowed =
      rules->AllowSystemPaths()
          .and_then([&] { return rules->Allow(program, PathUse::kExecute); })
          .and_then([&] { return rules->Allow(shim.path, shim.use); })
          .and_then([&] { return AllowEach(options.readable, PathUse::kRead, &*rules); })
          .and_then([&] { return AllowEach(options.executable, PathUse::kExecute, &*rules); })
          .and_then(
              [&] { return AllowEach(options.writable, PathUse::kPrivateDirectory, &*rules); });
  if (!allowed) {
    return tl::make_unexpected(allowed.error());
  }
  return rules;
}

}  // namespace

Result<Confinement> Confinement::Prepare(const Options& options, const std::string& program,
                                         const ShimFile& shim) {
  Confinement confinement;
  if (options.landlock == LandlockUse::kOff) {
    confinement.warning_ =
        "--no-landlock: the program can open by itself whatever its user id may open; only the "
        "kernel's permissions and its security module hold it";
    return confinement;
  }
  auto rules = RulesFor(options, program, shim);
  if (rules) {
    confinement.rules_ = std::move(*rules);
    return confinement;
  }
  if (rules.error().code != ErrorCode::kUnsupported || options.landlock == LandlockUse::kRequired) {
    return tl::make_unexpected(rules.error());
  }
  confinement.warning_ = rules.error().Message() +
                         ": the program can open by itself whatever its user id may open, "
                         "whether the broker granted it or not (--require-landlock refuses)";
  return confinement;
}

Result<void> Confinement::Enter() const {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return FailErrno(errno, "cannot set no_new_privs");
  }
  return rules_ ? rules_->RestrictSelf() : Result<void>();
}

}  // namespace openhook::launcher
