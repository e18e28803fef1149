// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/make_plan.h"

#include <fmt/format.h>

#include "broker/base/text.h"
#include "broker/fs/program_file.h"
#include "broker/fs/text_file.h"
#include "broker/plan/planner_process.h"

namespace openhook::ctl {

namespace {

constexpr std::size_t kListBytes = std::size_t{1} << 20;

}  // namespace

domain::CommandLine CommandLineOf(const std::string& word) {
  if (word == "read") {
    return domain::CommandLine::kRead;
  }
  return word == "read-write" ? domain::CommandLine::kReadWrite : domain::CommandLine::kWarn;
}

Result<domain::ForbiddenPaths> ReadForbidden(const std::string& file) {
  if (file == kDefaultForbiddenList) {
    return domain::ForbiddenPaths::Default();
  }
  return fs::ReadTextFile(file, kListBytes).and_then([](const std::string& text) {
    return domain::ForbiddenPaths::Parse(text);
  });
}

Result<domain::Plan> ReadDefinition(std::string_view xml, domain::CommandLine command_line) {
  return fs::FindProgramBeside("openhook-plan", OPENHOOK_PROGRAM_DIRECTORY)
      .and_then([&](const std::string& program) {
        return plan::RunPlanner({.program = program, .command_line = command_line}, xml);
      });
}

Result<void> CheckRefused(const HostPlan& plan) {
  if (plan.refused.empty()) {
    return {};
  }
  std::string sentences;
  for (const domain::Refusal& refusal : plan.refused) {
    sentences += fmt::format("\n  {}: {} {}", refusal.source, Quote(refusal.path), refusal.reason);
  }
  return Fail(ErrorCode::kPermission,
              fmt::format("the definition asks for what is refused (--forbid changes the list of "
                          "forbidden paths):{}",
                          sentences));
}

}  // namespace openhook::ctl
