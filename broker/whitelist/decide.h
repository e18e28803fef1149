// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The pure half of every request: from a name and an intent to a decision and, when it is allowed,
// to what has to be done. The other half (does the file still have its identity?) is asked of
// broker/fs by the server, with the entry's own path.

#ifndef BROKER_WHITELIST_DECIDE_H_
#define BROKER_WHITELIST_DECIDE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "broker/base/open_intent.h"
#include "broker/whitelist/rule.h"
#include "broker/whitelist/whitelist.h"

namespace openhook::whitelist {

enum class Verdict : std::uint8_t { kAllow, kDeny, kNotMine };

// What an allowed request needs next.
enum class Step : std::uint8_t {
  kNone,          // denied or not mine
  kUseExisting,   // entry->path with entry->identity
  kCreate,        // make `path` in `directory`; the name is free as far as we know
  kLookForName,   // nothing is known to be there: absent is ENOENT, present is Rule::kAppeared
  kAlreadyThere,  // O_EXCL on a file that exists: EEXIST
};

struct Decision {
  Verdict verdict = Verdict::kDeny;
  Rule rule = Rule::kNotWhitelisted;
  Step step = Step::kNone;
  const Entry* entry = nullptr;  // valid until the whitelist changes
  // With kCreate and kLookForName: the canonical name, in the directory `directory` (pinned).
  std::string path;
  const FileIdentity* directory = nullptr;
  // Not empty when the client used another name than the canonical one: `alias` (the file's or, for
  // a name that does not exist yet, its directory's) must still lead to `alias_identity`.
  std::string alias;
  const FileIdentity* alias_identity = nullptr;
};

struct AskedName {
  std::string_view path;
  std::string_view cwd;
};

Decision DecideOpen(const Whitelist& whitelist, const AskedName& name, const OpenIntent& intent);
Decision DecideStat(const Whitelist& whitelist, const AskedName& name);

struct AskedAccess {
  bool read = false;
  bool write = false;
  bool execute = false;
};
Decision DecideAccess(const Whitelist& whitelist, const AskedName& name, const AskedAccess& asked);

Decision DecideUnlink(const Whitelist& whitelist, const AskedName& name);

}  // namespace openhook::whitelist

#endif  // BROKER_WHITELIST_DECIDE_H_
