// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One rule of an AppArmor profile: a file, or the files that match a pattern, and what may be done
// to them. Never one that denies.

#ifndef BROKER_AA_HELPER_RULE_H_
#define BROKER_AA_HELPER_RULE_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace openhook::aa_helper {

struct Rule {
  std::string path;     // taken byte for byte
  std::string pattern;  // what follows it, in the parser's own language; empty: just that file
  std::string perms;    // of "rwklm", in this order

  // What stands between the quotes.
  [[nodiscard]] std::string Text() const;
  // Text() for people, as libvirt's helper shows it: only what would mean something else is octal.
  [[nodiscard]] std::string Shown() const;
  [[nodiscard]] bool IsPattern() const { return !pattern.empty(); }
};

// The letters of both.
std::string Union(std::string_view a, std::string_view b);
// The letters of `perms` without those of `others`.
std::string Without(std::string_view perms, std::string_view others);

// Adds the rule, or its letters to the rule that is about the same.
void AddTo(std::vector<Rule>* rules, const Rule& rule);
// What the rules give for the very same path and pattern.
std::string PermsFor(const std::vector<Rule>& rules, const Rule& rule);

// `  "TEXT" PERMS,` and what follows it on the line.
std::string RenderLine(const Rule& rule);
struct ParsedLine {
  Rule rule;
  std::string rest;
};
// Nothing for a line that is no rule, or one that denies.
std::optional<ParsedLine> ParseLine(std::string_view line);

}  // namespace openhook::aa_helper

#endif  // BROKER_AA_HELPER_RULE_H_
