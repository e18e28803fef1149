// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/plan/planner_process.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "broker/base/unique_fd.h"
#include "broker/plan/child.h"
#include "broker/plan/message.h"

namespace openhook::plan {

namespace {

// Sealed: neither side can change it any more.
Result<UniqueFd> TextInMemory(std::string_view text) {
  UniqueFd file(::memfd_create("openhook-domain", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  while (file.IsValid() && !text.empty()) {
    const ssize_t written = ::write(file.Get(), text.data(), text.size());
    if (written <= 0) {
      return FailErrno(errno, "cannot hand the definition to the planning process");
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (!file.IsValid() || ::lseek(file.Get(), 0, SEEK_SET) != 0 ||
      ::fcntl(file.Get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) !=
          0) {
    return FailErrno(errno, "cannot hand the definition to the planning process");
  }
  return file;
}

Result<domain::Plan> WithPlacesIn(domain::Plan plan, std::string_view xml) {
  if (!domain::AreIn(plan.places, xml)) {
    return Fail(ErrorCode::kCorrupt,
                "the planning process names places that are not in the definition, which may be "
                "made to attack it");
  }
  return plan;
}

const char* WordOf(domain::CommandLine command_line) {
  switch (command_line) {
    case domain::CommandLine::kRead:
      return "--commandline=read";
    case domain::CommandLine::kReadWrite:
      return "--commandline=read-write";
    case domain::CommandLine::kWarn:
      break;
  }
  return "--commandline=warn";
}

}  // namespace

Result<domain::Plan> RunPlanner(const PlannerOptions& options, std::string_view xml) {
  if (xml.size() > limits::kMaxDomainXml) {
    return Fail(ErrorCode::kLimit, "the definition is longer than " +
                                       std::to_string(limits::kMaxDomainXml >> 20) + " MiB");
  }
  const auto text = TextInMemory(xml);
  if (!text) {
    return tl::make_unexpected(text.error());
  }
  auto child = Child::Start(options.program, WordOf(options.command_line), *text);
  if (!child) {
    return tl::make_unexpected(child.error());
  }
  return child->Answer(std::chrono::steady_clock::now() + options.deadline)
      .and_then([](const std::string& answer) { return Decode(answer); })
      .and_then([&](domain::Plan plan) { return WithPlacesIn(std::move(plan), xml); });
}

}  // namespace openhook::plan
