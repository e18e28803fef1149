// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/whitelist/decide.h"

#include "broker/base/canonical_path.h"
#include "broker/base/system_paths.h"

namespace openhook::whitelist {

namespace {

// Where a name leads in the whitelist.
struct Lookup {
  bool malformed = false;
  bool system = false;            // and nobody granted it
  const Entry* entry = nullptr;   // the file's (or the name's) own entry
  const Entry* folder = nullptr;  // else: the directory grant that covers the name
  std::string path;               // canonical, with folder
  std::string alias;              // the file's other name that was used
  std::string folder_alias;       // the directory's other name that was used
};

void FindInFolder(const Whitelist& whitelist, const std::string& name, Lookup* lookup) {
  const std::size_t slash = name.rfind('/');
  if (slash == 0 || slash == std::string::npos) {
    return;
  }
  const std::string folder_name = name.substr(0, slash);
  const auto found = whitelist.Find(folder_name);
  if (found.entry == nullptr || !found.entry->creatable || !found.entry->identity ||
      found.entry->identity->kind != FileKind::kDirectory) {
    return;
  }
  const auto path = found.entry->path.Join(name.substr(slash + 1));
  if (!path) {
    return;
  }
  lookup->folder = found.entry;
  lookup->path = path->str();
  lookup->folder_alias = found.alias ? folder_name : std::string();
  lookup->entry = whitelist.Find(lookup->path).entry;
}

bool FindByName(const Whitelist& whitelist, const std::string& name, Lookup* lookup) {
  const auto found = whitelist.Find(name);
  if (found.entry != nullptr) {
    lookup->entry = found.entry;
    lookup->alias = found.alias ? name : std::string();
    return true;
  }
  FindInFolder(whitelist, name, lookup);
  return lookup->folder != nullptr;
}

Lookup LookUp(const Whitelist& whitelist, const AskedName& name) {
  Lookup lookup;
  const auto clean = LexicalClean(name.path, name.cwd);
  if (!clean) {
    lookup.malformed = true;
    return lookup;
  }
  if (FindByName(whitelist, *clean, &lookup)) {
    return lookup;
  }
  if (clean->find("/..") != std::string::npos) {
    const std::string folded = FoldDotDot(
        *clean, [&](std::string_view directory) { return whitelist.IsKnownDirectory(directory); });
    if (!folded.empty() && FindByName(whitelist, folded, &lookup)) {
      return lookup;
    }
  }
  lookup.system = IsSystemPath(*clean);
  return lookup;
}

Decision Deny(Rule rule, const Lookup& lookup) {
  Decision decision;
  decision.rule = rule;
  decision.entry = lookup.entry;
  return decision;
}

Decision NotListed(const Lookup& lookup) {
  if (lookup.malformed) {
    return Deny(Rule::kMalformedName, lookup);
  }
  Decision decision;
  if (lookup.system) {
    decision.verdict = Verdict::kNotMine;
    decision.rule = Rule::kSystemFile;
  }
  return decision;
}

bool IsListed(const Lookup& lookup) { return lookup.entry != nullptr || lookup.folder != nullptr; }

bool IsDirectory(const Entry& entry) {
  return entry.identity && entry.identity->kind == FileKind::kDirectory;
}

// The name is granted, and a file is pinned under it.
bool HasFile(const Lookup& lookup) {
  return lookup.entry != nullptr && lookup.entry->identity.has_value();
}

Decision UseExisting(const Lookup& lookup) {
  Decision decision;
  decision.verdict = Verdict::kAllow;
  decision.rule = lookup.entry->created_by_vm ? Rule::kCreatedByVm : Rule::kGranted;
  decision.step = Step::kUseExisting;
  decision.entry = lookup.entry;
  decision.path = lookup.entry->path.str();
  decision.directory = lookup.entry->directory ? &*lookup.entry->directory : nullptr;
  if (!lookup.alias.empty()) {
    decision.alias = lookup.alias;
    decision.alias_identity = &*lookup.entry->identity;
  } else if (!lookup.folder_alias.empty()) {
    decision.alias = lookup.folder_alias;
    decision.alias_identity = &*lookup.folder->identity;
  }
  return decision;
}

// The name is granted (by itself or through its directory), but no file is known under it.
Decision UseName(const Lookup& lookup, Step step) {
  const bool by_folder = lookup.entry == nullptr;
  Decision decision;
  decision.verdict = Verdict::kAllow;
  decision.rule = Rule::kGranted;
  decision.step = step;
  decision.entry = by_folder ? lookup.folder : lookup.entry;
  decision.path = by_folder ? lookup.path : lookup.entry->path.str();
  decision.directory = by_folder ? &*lookup.folder->identity
                                 : (lookup.entry->directory ? &*lookup.entry->directory : nullptr);
  decision.alias =
      by_folder ? lookup.folder_alias : lookup.alias.substr(0, lookup.alias.rfind('/'));
  decision.alias_identity = decision.directory;
  return decision;
}

bool IsRepetition(const Entry& entry, const OpenIntent& intent) {
  return entry.created_by_vm && intent.token != 0 && entry.token == intent.token;
}

Decision DecideOpenExisting(const Lookup& lookup, const OpenIntent& intent) {
  const Entry& entry = *lookup.entry;
  if (IsDirectory(entry)) {
    return Deny(Rule::kDirectory, lookup);
  }
  if (intent.access != Access::kRead && !entry.writable) {
    return Deny(entry.ended ? Rule::kLeaseEnded : Rule::kReadOnlyGrant, lookup);
  }
  if (intent.truncate && (intent.access == Access::kRead || !entry.creatable)) {
    return Deny(Rule::kTruncateNotGranted, lookup);
  }
  if (intent.no_follow && !lookup.alias.empty()) {
    return Deny(Rule::kAliasChanged, lookup);
  }
  Decision decision = UseExisting(lookup);
  if (intent.create && intent.exclusive && !IsRepetition(entry, intent)) {
    decision.step = Step::kAlreadyThere;
  }
  return decision;
}

}  // namespace

Decision DecideOpen(const Whitelist& whitelist, const AskedName& name, const OpenIntent& intent) {
  const Lookup lookup = LookUp(whitelist, name);
  if (!IsListed(lookup)) {
    return NotListed(lookup);
  }
  if (intent.other_flags != 0) {
    return Deny(Rule::kUnknownFlags, lookup);
  }
  if (lookup.entry != nullptr && lookup.entry->stale) {
    return Deny(Rule::kStale, lookup);
  }
  if (HasFile(lookup)) {
    return DecideOpenExisting(lookup, intent);
  }
  return UseName(lookup, intent.create ? Step::kCreate : Step::kLookForName);
}

Decision DecideStat(const Whitelist& whitelist, const AskedName& name) {
  const Lookup lookup = LookUp(whitelist, name);
  if (!IsListed(lookup)) {
    return NotListed(lookup);
  }
  if (lookup.entry != nullptr && lookup.entry->stale) {
    return Deny(Rule::kStale, lookup);
  }
  return HasFile(lookup) ? UseExisting(lookup) : UseName(lookup, Step::kLookForName);
}

Decision DecideAccess(const Whitelist& whitelist, const AskedName& name, const AskedAccess& asked) {
  const Lookup lookup = LookUp(whitelist, name);
  if (!IsListed(lookup)) {
    return NotListed(lookup);
  }
  if (lookup.entry != nullptr && lookup.entry->stale) {
    return Deny(Rule::kStale, lookup);
  }
  if (asked.execute) {
    return Deny(Rule::kExecute, lookup);
  }
  if (!HasFile(lookup)) {
    return UseName(lookup, Step::kLookForName);
  }
  // A directory grant is for creating in it: R_OK is not given, W_OK is.
  if (IsDirectory(*lookup.entry) ? asked.read : (asked.read && !lookup.entry->readable)) {
    return Deny(Rule::kDirectory, lookup);
  }
  if (asked.write && !lookup.entry->writable && !IsDirectory(*lookup.entry)) {
    return Deny(lookup.entry->ended ? Rule::kLeaseEnded : Rule::kReadOnlyGrant, lookup);
  }
  return UseExisting(lookup);
}

Decision DecideUnlink(const Whitelist& whitelist, const AskedName& name) {
  const Lookup lookup = LookUp(whitelist, name);
  if (!IsListed(lookup)) {
    return NotListed(lookup);
  }
  if (!HasFile(lookup)) {
    return UseName(lookup, Step::kLookForName);
  }
  if (!lookup.entry->created_by_vm) {
    return Deny(Rule::kUnlinkNotOwn, lookup);
  }
  return UseExisting(lookup);
}

}  // namespace openhook::whitelist
