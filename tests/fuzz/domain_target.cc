// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tests/fuzz/domain_target.h"

#include <algorithm>

#include "broker/base/limits.h"
#include "broker/domain/domain.h"
#include "broker/domain/forbidden.h"

namespace openhook::domain {

namespace {

bool IsOneLine(std::string_view sentence) {
  return !sentence.empty() && std::all_of(sentence.begin(), sentence.end(),
                                          [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
}

void CheckFile(const WantedFile& file) {
  CheckOrDie(file.path.starts_with('/'), "a planned path is not absolute");
  CheckOrDie(file.path.find('\0') == std::string::npos, "a planned path has a NUL byte");
  CheckOrDie(IsOneLine(file.source) && file.source.size() <= limits::kMaxSourceBytes,
             "a source is no short line");
  CheckOrDie(file.depth == 0 || file.access == Access::kRead || file.role != Role::kBacking,
             "a backing image is for writing");
  CheckOrDie(file.depth <= limits::kMaxChainDepth, "a chain is too deep");
}

void CheckForbidden(const WantedFile& file, const Plan& plan) {
  static const ForbiddenPaths kList = ForbiddenPaths::Default();
  const Machine machine{plan.name, plan.uuid, plan.short_name};
  const auto reason = kList.ReasonAgainst(file.path, file.access, file.kind, machine);
  CheckOrDie(!reason || IsOneLine(*reason), "a reason is no line");
  if (file.path.starts_with("/etc/shadow")) {
    CheckOrDie(reason.has_value(), "a definition got round the list");
  }
}

}  // namespace

Planned FuzzDomain(std::string_view input) {
  const auto plan = PlanDomain(input, CommandLine::kReadWrite);
  if (!plan) {
    CheckOrDie(IsOneLine(plan.error().context), "an error is no line");
    return Planned::kRefused;
  }
  const std::size_t count = plan->files.size() + plan->devices.size() + plan->network.size() +
                            plan->refused.size() + plan->warnings.size();
  CheckOrDie(count <= limits::kMaxPlanned, "a plan is too large");
  for (const WantedFile& file : plan->files) {
    CheckFile(file);
    CheckForbidden(file, *plan);
  }
  for (const std::string& warning : plan->warnings) {
    CheckOrDie(IsOneLine(warning), "a warning is no line");
  }
  for (const DeviceQuestion& question : plan->devices) {
    CheckOrDie(IsOneLine(question.source), "a source is no line");
  }
  return Planned::kAccepted;
}

}  // namespace openhook::domain
