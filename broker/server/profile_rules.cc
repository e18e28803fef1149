// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/profile_rules.h"

namespace openhook::server {

namespace {

using apparmor::RuleAccess;
using apparmor::Rules;

void AddRule(const CanonicalPath& path, RuleAccess access, Rules* rules) {
  const auto [rule, added] = rules->emplace(path, access);
  if (!added && access == RuleAccess::kReadWrite) {
    rule->second = access;
  }
}

void AddEntry(const whitelist::Whitelist& whitelist, const CanonicalPath& path, Rules* rules) {
  const whitelist::Entry* entry = whitelist.Find(path.str()).entry;
  if (entry != nullptr && entry->readable && !entry->stale) {
    AddRule(path, entry->writable ? RuleAccess::kReadWrite : RuleAccess::kRead, rules);
  }
}

}  // namespace

Rules RulesOf(const whitelist::Whitelist& whitelist) {
  Rules rules;
  for (const auto& [id, grant] : whitelist.grants()) {
    AddEntry(whitelist, grant.path, &rules);
  }
  for (const auto& [path, file] : whitelist.created()) {
    AddEntry(whitelist, path, &rules);
  }
  return rules;
}

// Files that are made in a granted directory have rules of their own, before they are delivered.
Rules RulesOf(const whitelist::Change& change) {
  Rules rules;
  for (const whitelist::Grant& grant : change.added) {
    const bool directory = grant.identity && grant.identity->kind == FileKind::kDirectory;
    if (directory || grant.stale) {
      continue;
    }
    const bool writes = grant.access != whitelist::GrantAccess::kRead && grant.ended_unix == 0;
    AddRule(grant.path, writes ? RuleAccess::kReadWrite : RuleAccess::kRead, &rules);
  }
  return rules;
}

void AddRules(const Rules& more, Rules* rules) {
  for (const auto& [path, access] : more) {
    AddRule(path, access, rules);
  }
}

}  // namespace openhook::server
