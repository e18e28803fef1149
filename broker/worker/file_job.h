// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The file-system part of one request, apart from the decision before it and the answer after it:
// every call that may block is in Perform(). The broker calls it itself for files on local file
// systems, and has a worker process call it for all others.

#ifndef BROKER_WORKER_FILE_JOB_H_
#define BROKER_WORKER_FILE_JOB_H_

#include <sys/stat.h>

#include <optional>
#include <string_view>

#include "broker/base/canonical_path.h"
#include "broker/base/file_identity.h"
#include "broker/base/open_intent.h"
#include "broker/base/result.h"
#include "broker/base/unique_fd.h"
#include "broker/worker/pool.h"

namespace openhook::worker {

enum class FileJobKind : std::uint8_t {
  kCheck,    // `path` is the file `pinned`
  kStat,     // ... and its attributes
  kOpen,     // ... and a fresh descriptor of it, as `intent` says
  kUnlink,   // ... and its name in `directory` goes
  kLook,     // is there anything under `path`, whose directory is `directory`?
  kCreate,   // make `path` in `directory`
  kReplace,  // the same; a file that an unfinished kCreate may have left there goes first
  kFind,     // the file that an unfinished kCreate may have left; its identity
  kConfirm,  // `path` is `pinned`, though mounts have other numbers now; its present identity
};

// Borrows what it names from the caller.
struct FileJob {
  FileJobKind kind = FileJobKind::kCheck;
  const CanonicalPath* path = nullptr;
  const FileIdentity* pinned = nullptr;
  const FileIdentity* directory = nullptr;
  // Not empty: another name, that must still lead to `alias_identity`. Checked first.
  std::string_view alias;
  const FileIdentity* alias_identity = nullptr;
  const OpenIntent* intent = nullptr;  // for kOpen, kCreate and kReplace
};

struct FileResult {
  std::optional<Error> error;
  bool unanswered = false;                // with an error: nobody knows what was done
  bool alias_failed = false;              // with an error: it is about the alias
  bool exists = false;                    // kLook
  std::optional<struct stat> attributes;  // kStat
  std::optional<FileIdentity> identity;   // kCreate, kReplace, kFind, kConfirm
  std::optional<IoFd> fd;                 // kOpen, kCreate, kReplace
  std::optional<HeldFile> held;           // the same, when a worker did it
};

FileResult Perform(const FileJob& job);

}  // namespace openhook::worker

#endif  // BROKER_WORKER_FILE_JOB_H_
