// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The nouns of the whitelist. A grant gives one VM one file with one access for one reason; a lease
// owns a set of grants; what a VM may do is the union of its live leases. Pure data.

#ifndef BROKER_WHITELIST_GRANT_H_
#define BROKER_WHITELIST_GRANT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/canonical_path.h"
#include "broker/base/file_identity.h"
#include "broker/base/result.h"

namespace openhook::whitelist {

enum class GrantAccess : std::uint8_t {
  kRead,
  kReadWrite,
  kCreate,  // of a name: make, truncate, write it; of a directory: make files directly in it
};

std::string_view ToString(GrantAccess access);

using GrantId = std::uint64_t;

struct Grant {
  GrantId id = 0;
  std::string lease;
  CanonicalPath path;
  // Other names of the same file, cleaned (LexicalClean): symlinked or unfolded spellings that a
  // client will use. Each is verified at open time to lead to the pinned file still.
  std::vector<std::string> aliases;
  GrantAccess access = GrantAccess::kRead;
  // Pinned. Absent only for a create grant of a name that did not exist.
  std::optional<FileIdentity> identity;
  // Of the directory that holds the name; pinned for create grants.
  std::optional<FileIdentity> directory;
  std::string source;  // what asked for it, e.g. "disk vda"
  std::string format;
  std::string role;
  std::uint32_t depth = 0;
  std::int64_t created_unix = 0;
  // The file could not be confirmed (reboot without file handles, or replaced under another
  // lease): refused until granted again.
  bool stale = false;
  // Several VMs may have it read-write at the same time.
  bool shareable = false;
  // On a file system whose server may not answer (NFS, FUSE): never touched by the event loop.
  bool may_block = false;
  // Not 0: the lease has ended (seconds since 1970), and the VM still holds the file. Such a grant
  // gives reading only, and goes when the VM lets go.
  std::int64_t ended_unix = 0;
};

// A file that this VM made through the broker, under a create grant of `lease`.
struct CreatedFile {
  CanonicalPath path;
  std::string lease;
  FileIdentity identity;
  FileIdentity directory;
  std::uint64_t token = 0;  // of the request that made it, to recognise its repetition
};

// Checks words that come from outside. Errors: kInvalidArgument with the rule.
Result<void> CheckLeaseName(std::string_view lease);

}  // namespace openhook::whitelist

#endif  // BROKER_WHITELIST_GRANT_H_
