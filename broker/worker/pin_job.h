// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The file-system part of a grant: from an administrator's name to a canonical path and a pinned
// identity. Follows symlinks once, refuses what no VM may have, checks that the file is the one
// that the administrator saw, and finds out whether its file system may block.

#ifndef BROKER_WORKER_PIN_JOB_H_
#define BROKER_WORKER_PIN_JOB_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker/base/canonical_path.h"
#include "broker/base/file_identity.h"
#include "broker/base/result.h"

namespace openhook::worker {

enum class NewName : std::uint8_t {
  kRefused,
  kAllowed,  // the name need not exist; its directory is pinned too
};

struct PinWish {
  std::string path;                  // after LexicalClean()
  std::vector<std::string> aliases;  // the same; each must lead to the same file
  NewName new_name = NewName::kRefused;
  std::uint64_t expected_dev = 0;  // with expected_ino 0: not said
  std::uint64_t expected_ino = 0;
};

struct PinJob {
  std::vector<PinWish> wishes;
  std::vector<std::string> forbidden;  // directories below which nothing is given, beside our list
};

struct Pinned {
  CanonicalPath path;
  std::optional<FileIdentity> identity;   // absent: the name does not exist
  std::optional<FileIdentity> directory;  // with NewName::kAllowed
  bool may_block = false;
};

// All of them, or the first error; it names the path and the remedy.
Result<std::vector<Pinned>> Perform(const PinJob& job);

}  // namespace openhook::worker

#endif  // BROKER_WORKER_PIN_JOB_H_
