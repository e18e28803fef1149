// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhook-plan: reads a domain definition from standard input, writes what it makes QEMU open to
// standard output (proto/plan.proto). Started by openhookctl; the sandbox comes before the first
// byte.

#include <libxml/parser.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/limits.h"
#include "broker/domain/domain.h"
#include "broker/plan/message.h"
#include "broker/plan/sandbox.h"

namespace openhook::plan {

namespace {

constexpr int kNoSandbox = 3;
constexpr int kNoInput = 4;
constexpr int kNoOutput = 5;
constexpr int kUsage = 2;

std::optional<domain::CommandLine> CommandLineOf(std::string_view word) {
  if (word == "--commandline=warn") {
    return domain::CommandLine::kWarn;
  }
  if (word == "--commandline=read") {
    return domain::CommandLine::kRead;
  }
  if (word == "--commandline=read-write") {
    return domain::CommandLine::kReadWrite;
  }
  return std::nullopt;
}

// One byte more than is allowed, so that the parser sees that it is too much.
bool ReadInput(std::string* text) {
  std::vector<char> buffer(std::size_t{256} << 10);
  while (text->size() <= limits::kMaxDomainXml) {
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return got == 0;
    }
    text->append(buffer.data(), static_cast<std::size_t>(got));
  }
  return true;
}

bool WriteOutput(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

void Complain(std::string_view sentence) {
  // Nobody may be there to read it, and nothing else could be done.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, sentence.data(), sentence.size());
}

int Run(domain::CommandLine command_line) {
  xmlInitParser();
  if (const auto entered = EnterSandbox(); !entered) {
    Complain("openhook-plan: " + entered.error().Message() + "\n");
    return kNoSandbox;
  }
  std::string text;
  if (!ReadInput(&text)) {
    return kNoInput;
  }
  return WriteOutput(Encode(domain::PlanDomain(text, command_line))) ? 0 : kNoOutput;
}

}  // namespace

}  // namespace openhook::plan

int main(int argc, char** argv) {
  using namespace openhook;  // NOLINT(google-build-using-namespace): main is outside of it
  // What runs at an ordinary end may make calls that the sandbox does not know: hence _exit().
  const std::string_view word = argc == 2 ? argv[1] : "--commandline=warn";
  const auto command_line = plan::CommandLineOf(word);
  if (!command_line || argc > 2) {
    plan::Complain("usage: openhook-plan [--commandline=warn|read|read-write] < DOMAIN.xml\n");
    ::_exit(plan::kUsage);
  }
  ::_exit(plan::Run(*command_line));
}
