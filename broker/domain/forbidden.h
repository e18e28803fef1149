// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a definition may not have, whoever wrote it: system directories, other machines' states, our
// own. A list of rules; the most specific one that matches a path decides. docs/domain.md describes
// the list's format and has the default.

#ifndef BROKER_DOMAIN_FORBIDDEN_H_
#define BROKER_DOMAIN_FORBIDDEN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"
#include "broker/domain/plan.h"

namespace openhook::domain {

// Whose definition it is; stands in patterns as {name}, {uuid} and {short-name}.
struct Machine {
  std::string name;
  std::string uuid;
  std::string short_name;  // ID-NAME of a running one
};

class ForbiddenPaths {
 public:
  // The list that is compiled in.
  static ForbiddenPaths Default();
  static std::string_view DefaultText();
  // A list in the same format; its line "default" stands for the one compiled in.
  // Errors: kInvalidArgument with the number of the line.
  static Result<ForbiddenPaths> Parse(std::string_view text);

  // Why `path` (absolute, without "." and doubled slashes) is not given to the machine; absent when
  // no rule is against it. A directory is refused as well when something forbidden lies in it.
  [[nodiscard]] std::optional<std::string> ReasonAgainst(std::string_view path, Access access,
                                                         Kind kind, const Machine& machine) const;

 private:
  enum class Verdict : std::uint8_t { kNever, kReadOnly, kAllow };
  struct Rule {
    Verdict verdict;
    std::vector<std::string> components;
    bool anywhere = false;  // "**/" before it: at any depth
    std::string reason;
  };
  static Result<std::vector<Rule>> ParseRules(std::string_view text);
  static Result<Rule> ParseRule(std::string_view line);
  [[nodiscard]] const Rule* Decisive(const std::vector<std::string>& path,
                                     const Machine& machine) const;

  std::vector<Rule> rules_;
};

}  // namespace openhook::domain

#endif  // BROKER_DOMAIN_FORBIDDEN_H_
