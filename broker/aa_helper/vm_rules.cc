// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/aa_helper/vm_rules.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

namespace openhook::aa_helper {

namespace {

constexpr std::string_view kHeading =
    "# Made by openhook-aa-helper from what libvirt says, and again with each change. Not to be "
    "edited:\n"
    "# for more rules there is local/abstractions/libvirt-qemu.\n";
constexpr std::string_view kDefinition = "# Of the definition:\n";
constexpr std::string_view kAppended = "# Appended for operations; ends when QEMU has let go:\n";
constexpr const char* kWriting = "w";

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1);
    lines.push_back(text.substr(0, end + 1));
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::string Remark(const Appended& one) {
  return std::string(" # ") + (one.known ? "known" : "new") + " " + std::to_string(one.calls) +
         " " + std::to_string(one.waning_since) + "\n";
}

Appended WithRemark(const ParsedLine& line) {
  constexpr int kDecimal = 10;
  Appended one{.rule = line.rule};
  const std::size_t word = line.rest.find("# ");
  const std::size_t number = word == std::string::npos ? word : line.rest.find(' ', word + 2);
  if (number == std::string::npos) {
    return one;
  }
  one.known = line.rest.compare(word + 2, number - word - 2, "known") == 0;
  char* end = nullptr;
  one.calls = static_cast<unsigned>(std::strtoul(line.rest.c_str() + number, &end, kDecimal));
  one.waning_since = std::strtoll(end, nullptr, kDecimal);
  return one;
}

// Of an appended rule that the definition does not give: what is left of it now.
class Survivor {
 public:
  Survivor(Appended one, const Moment& moment) : one_(std::move(one)), moment_(moment) {}

  std::optional<Appended> Look() {
    if (one_.rule.IsPattern()) {
      return one_;  // of the machine's whole life, like its directories
    }
    switch (moment_.hold(one_.rule.path)) {
      case Hold::kForWriting:
      case Hold::kUnknown:
        one_.waning_since = 0;
        return one_;
      case Hold::kForReading:
        return MayStillWrite() ? one_ : ReadingAlone();
      case Hold::kNot:
        break;
    }
    return MayStillWrite() ? std::optional(one_) : std::nullopt;
  }

 private:
  // When two commits end at once, libvirt tells the end of one before it opens the other's base
  // for writing once more. So what is known to be under way outlives that QEMU lets go.
  bool MayStillWrite() {
    if (!one_.known || one_.calls % 2 == 0) {
      return false;
    }
    if (one_.waning_since == 0) {
      one_.waning_since = moment_.unix_time;
    }
    return moment_.unix_time - one_.waning_since < kWaningSeconds;
  }

  std::optional<Appended> ReadingAlone() {
    one_.rule.perms = Without(one_.rule.perms, kWriting);
    one_.calls = 0;
    one_.waning_since = 0;
    return one_;
  }

  Appended one_;
  const Moment& moment_;
};

std::vector<Appended>::iterator FindSame(std::vector<Appended>* appended, const Rule& rule) {
  return std::find_if(appended->begin(), appended->end(), [&](const Appended& one) {
    return one.rule.path == rule.path && one.rule.pattern == rule.pattern;
  });
}

// What may end now: each file once.
std::vector<Appended> Candidates(const VmRules& before) {
  std::vector<Appended> candidates = before.appended;
  std::vector<Appended> of_definition;
  for (const Rule& rule : before.definition) {
    if (const auto same = FindSame(&candidates, rule); same != candidates.end()) {
      same->rule.perms = Union(same->rule.perms, rule.perms);
    } else if (!rule.IsPattern()) {
      of_definition.push_back({.rule = rule});
    }
  }
  // What was appended last stays the last.
  of_definition.insert(of_definition.end(), candidates.begin(), candidates.end());
  return of_definition;
}

bool Covers(const std::vector<Rule>& rules, const Rule& rule) {
  return Without(rule.perms, PermsFor(rules, rule)).empty();
}

}  // namespace

std::string Render(const VmRules& rules) {
  std::string text(kHeading);
  text += kDefinition;
  for (const Rule& rule : rules.definition) {
    text += RenderLine(rule) + "\n";
  }
  text += kAppended;
  for (const Appended& one : rules.appended) {
    text += RenderLine(one.rule) + Remark(one);
  }
  return text;
}

Result<VmRules> Parse(std::string_view text) {
  if (!text.starts_with(kHeading)) {
    return Fail(ErrorCode::kUnsupported, "the rules were not made by openhook-aa-helper");
  }
  VmRules rules;
  bool appended = false;
  for (const std::string_view line : Lines(text)) {
    appended = appended || line == kAppended;
    const auto parsed = ParseLine(line);
    if (parsed && appended) {
      rules.appended.push_back(WithRemark(*parsed));
    } else if (parsed) {
      rules.definition.push_back(parsed->rule);
    }
  }
  return rules;
}

VmRules ParseForeign(std::string_view text) {
  VmRules rules;
  for (const std::string_view line : Lines(text)) {
    if (const auto parsed = ParseLine(line)) {
      rules.appended.push_back({.rule = parsed->rule});
    }
  }
  return rules;
}

VmRules Regenerate(const VmRules& before, std::vector<Rule> definition, const Moment& moment) {
  VmRules now{std::move(definition), {}};
  for (const Appended& one : Candidates(before)) {
    if (Covers(now.definition, one.rule)) {
      continue;
    }
    auto survivor = Survivor(one, moment).Look();
    if (survivor && !Covers(now.definition, survivor->rule)) {
      now.appended.push_back(std::move(*survivor));
    }
  }
  return now;
}

VmRules Append(VmRules before, const Rule& rule, bool known, Reason reason) {
  Appended added{.rule = rule, .known = known, .calls = reason == Reason::kItself ? 1U : 0U};
  if (reason == Reason::kThroughChain) {
    added.rule.perms = Without(added.rule.perms, kWriting);
  }
  const auto same = FindSame(&before.appended, rule);
  if (same != before.appended.end()) {
    added.rule.perms = Union(added.rule.perms, same->rule.perms);
    added.known = added.known && (same->known || same->calls == 0);
    added.calls += same->calls;
    before.appended.erase(same);
  }
  before.appended.push_back(std::move(added));
  return before;
}

}  // namespace openhook::aa_helper
