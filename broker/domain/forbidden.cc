// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/domain/forbidden.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <utility>

#include "broker/base/text.h"
#include "broker/domain/forbidden_defaults.h"

namespace openhook::domain {

namespace {

constexpr std::string_view kAnywhere = "**/";

std::vector<std::string> Components(std::string_view path) {
  std::vector<std::string> components;
  while (!path.empty()) {
    const std::string_view one = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), one.size() + 1));
    if (!one.empty()) {
      components.emplace_back(one);
    }
  }
  return components;
}

// /var/run and /var/lock are symlinks on every system that libvirt runs on; a file that is not
// there cannot be resolved, so the rules must know.
std::vector<std::string> Normalised(std::string_view path) {
  std::vector<std::string> components = Components(path);
  if (components.size() >= 2 && components[0] == "var" && components[1] == "run") {
    components.erase(components.begin());
  } else if (components.size() >= 2 && components[0] == "var" && components[1] == "lock") {
    components[0] = "run";
  }
  return components;
}

// The machine's own words are no patterns.
std::string Literal(std::string_view word) {
  std::string text;
  for (const char c : word) {
    if (std::string_view("*?[]\\").find(c) != std::string_view::npos) {
      text += '\\';
    }
    text += c;
  }
  return text;
}

// Empty when the machine lacks a word that the pattern needs: then the rule does not apply.
std::string Filled(std::string pattern, const Machine& machine) {
  const std::array<std::pair<std::string_view, std::string_view>, 3> words = {
      {{"{name}", machine.name}, {"{uuid}", machine.uuid}, {"{short-name}", machine.short_name}}};
  for (const auto& [placeholder, word] : words) {
    const std::size_t at = pattern.find(placeholder);
    if (at == std::string::npos) {
      continue;
    }
    if (word.empty() || word.find('/') != std::string_view::npos) {
      return {};
    }
    pattern.replace(at, placeholder.size(), Literal(word));
  }
  return pattern;
}

// The pattern's components match those of the path from `from` on.
bool MatchesAt(const std::vector<std::string>& pattern, const std::vector<std::string>& path,
               std::size_t from, const Machine& machine) {
  if (pattern.size() > path.size() - from) {
    return false;
  }
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const std::string filled = Filled(pattern[i], machine);
    if (filled.empty() || ::fnmatch(filled.c_str(), path[from + i].c_str(), 0) != 0) {
      return false;
    }
  }
  return true;
}

// The path is a directory above what the pattern names.
bool LiesBelow(const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
  if (pattern.size() <= path.size()) {
    return false;
  }
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (::fnmatch(pattern[i].c_str(), path[i].c_str(), 0) != 0) {
      return false;
    }
  }
  return true;
}

std::string Joined(const std::vector<std::string>& components) {
  std::string path;
  for (const std::string& component : components) {
    path += "/" + component;
  }
  return path;
}

std::string_view TakeWord(std::string_view* line) {
  constexpr std::string_view kSpace = " \t";
  line->remove_prefix(std::min(line->find_first_not_of(kSpace), line->size()));
  const std::string_view word = line->substr(0, line->find_first_of(kSpace));
  line->remove_prefix(word.size());
  line->remove_prefix(std::min(line->find_first_not_of(kSpace), line->size()));
  return word;
}

}  // namespace

std::string_view ForbiddenPaths::DefaultText() { return kDefaultForbidden; }

ForbiddenPaths ForbiddenPaths::Default() {
  ForbiddenPaths paths;
  auto rules = ParseRules(kDefaultForbidden);
  CheckOrDie(rules.has_value(), "the default list of forbidden paths is well-formed");
  paths.rules_ = std::move(*rules);
  return paths;
}

Result<ForbiddenPaths::Rule> ForbiddenPaths::ParseRule(std::string_view line) {
  const std::string_view word = TakeWord(&line);
  std::string_view pattern = TakeWord(&line);
  Rule rule{};
  if (word == "never") {
    rule.verdict = Verdict::kNever;
  } else if (word == "read-only") {
    rule.verdict = Verdict::kReadOnly;
  } else if (word == "allow") {
    rule.verdict = Verdict::kAllow;
  } else {
    return Fail(ErrorCode::kInvalidArgument,
                "a rule begins with never, read-only, allow or default, not " + Quote(word, 64));
  }
  rule.anywhere = pattern.starts_with(kAnywhere);
  if (rule.anywhere) {
    pattern.remove_prefix(kAnywhere.size());
  } else if (!pattern.starts_with('/')) {
    return Fail(ErrorCode::kInvalidArgument,
                "a pattern begins with / or **/, not as in " + Quote(pattern, 256));
  }
  rule.components = Components(pattern);
  if (rule.components.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "a pattern has to name something");
  }
  rule.reason = line.empty() ? "the list of forbidden paths says so" : OneLine(line);
  return rule;
}

Result<std::vector<ForbiddenPaths::Rule>> ForbiddenPaths::ParseRules(std::string_view text) {
  std::vector<Rule> rules;
  for (std::size_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    std::string_view rest = line;
    const std::string_view first = TakeWord(&rest);
    if (first.empty() || first.starts_with('#')) {
      continue;
    }
    if (first == "default") {
      const ForbiddenPaths defaults = Default();
      rules.insert(rules.end(), defaults.rules_.begin(), defaults.rules_.end());
      continue;
    }
    auto rule = ParseRule(line);
    if (!rule) {
      return Fail(rule.error().code, "line " + std::to_string(number) +
                                         " of the list of forbidden "
                                         "paths: " +
                                         rule.error().context);
    }
    rules.push_back(std::move(*rule));
  }
  return rules;
}

Result<ForbiddenPaths> ForbiddenPaths::Parse(std::string_view text) {
  auto rules = ParseRules(text);
  if (!rules) {
    return tl::make_unexpected(rules.error());
  }
  ForbiddenPaths paths;
  paths.rules_ = std::move(*rules);
  return paths;
}

// More components are more specific; of two that are equal the later line counts. What stands
// "anywhere" is about a name that means the same everywhere, and beats places.
const ForbiddenPaths::Rule* ForbiddenPaths::Decisive(const std::vector<std::string>& path,
                                                     const Machine& machine) const {
  const Rule* decisive = nullptr;
  for (const Rule& rule : rules_) {
    bool matches = false;
    for (std::size_t from = 0; from < (rule.anywhere ? path.size() : 1) && !matches; ++from) {
      matches = MatchesAt(rule.components, path, from, machine);
    }
    const auto weight = [](const Rule& one) {
      return std::pair(one.anywhere, one.components.size());
    };
    if (matches && (decisive == nullptr || weight(rule) >= weight(*decisive))) {
      decisive = &rule;
    }
  }
  return decisive;
}

std::optional<std::string> ForbiddenPaths::ReasonAgainst(std::string_view path, Access access,
                                                         Kind kind, const Machine& machine) const {
  const std::vector<std::string> components = Normalised(path);
  const bool reads = access == Access::kRead || access == Access::kList;
  const Rule* rule = Decisive(components, machine);
  if (rule != nullptr && rule->verdict == Verdict::kNever) {
    return "is never given to a machine: " + rule->reason;
  }
  if (rule != nullptr && rule->verdict == Verdict::kReadOnly && !reads) {
    return "is never given to a machine for writing: " + rule->reason;
  }
  if (kind != Kind::kDirectory) {
    return std::nullopt;
  }
  for (const Rule& below : rules_) {
    const bool forbids =
        below.verdict == Verdict::kNever || (below.verdict == Verdict::kReadOnly && !reads);
    if (forbids && !below.anywhere && LiesBelow(below.components, components)) {
      return "is never given to a machine: " + Quote(Joined(below.components)) + " lies in it";
    }
  }
  return std::nullopt;
}

}  // namespace openhook::domain
