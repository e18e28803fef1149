// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/worker/file_job.h"

#include <unistd.h>

#include <cerrno>

#include "broker/base/text.h"
#include "broker/fs/create.h"
#include "broker/fs/identity.h"
#include "broker/fs/open.h"
#include "broker/fs/resolve.h"

namespace openhook::worker {

namespace {

FileResult Failure(const Error& error) {
  FileResult result;
  result.error = error;
  return result;
}

FileResult Open(const FileJob& job, const PathFd& file) {
  auto opened = fs::OpenResolved(file, *job.pinned, *job.intent);
  if (!opened) {
    return Failure(opened.error());
  }
  FileResult result;
  result.fd = std::move(*opened);
  return result;
}

FileResult Attributes(const PathFd& file) {
  const auto info = fs::StatOf(file);
  if (!info) {
    return Failure(info.error());
  }
  FileResult result;
  result.attributes = *info;
  return result;
}

FileResult Unlink(const FileJob& job) {
  const auto directory = fs::ResolvePinned(job.path->Parent(), *job.directory);
  if (!directory) {
    return Failure(directory.error());
  }
  const auto removed = fs::UnlinkIn(*directory, job.path->Name(), *job.pinned);
  return removed ? FileResult() : Failure(removed.error());
}

FileResult OnPinnedFile(const FileJob& job) {
  const auto file = fs::ResolvePinned(*job.path, *job.pinned);
  if (!file) {
    return Failure(file.error());
  }
  switch (job.kind) {
    case FileJobKind::kOpen:
      return Open(job, *file);
    case FileJobKind::kStat:
      return Attributes(*file);
    case FileJobKind::kUnlink:
      return Unlink(job);
    default:
      return {};
  }
}

// Empty, ours, one name: a file that was made a moment ago, and that nobody has written to. Errors:
// kNotFound; kConflict (EEXIST) when it is anything else.
Result<FileIdentity> FindUnfinished(const CanonicalPath& path) {
  const auto file = fs::ResolveNoSymlinks(path);
  if (!file) {
    return tl::make_unexpected(file.error());
  }
  const auto info = fs::StatOf(*file);
  if (!info) {
    return tl::make_unexpected(info.error());
  }
  if (!S_ISREG(info->st_mode) || info->st_size != 0 || info->st_nlink != 1 ||
      info->st_uid != ::geteuid()) {
    return FailErrno(EEXIST, "cannot create " + Quote(path.str()));
  }
  return fs::IdentityOf(*file, fs::HandleUse::kRead);
}

Result<void> RemoveUnfinished(const PathFd& directory, const CanonicalPath& path) {
  const auto left = FindUnfinished(path);
  if (!left) {
    return left.error().code == ErrorCode::kNotFound ? Result<void>()
                                                     : tl::make_unexpected(left.error());
  }
  return fs::UnlinkIn(directory, path.Name(), *left);
}

FileResult Find(const CanonicalPath& path) {
  auto identity = FindUnfinished(path);
  if (!identity) {
    return Failure(identity.error());
  }
  FileResult result;
  result.identity = std::move(*identity);
  return result;
}

FileResult Create(const FileJob& job, const PathFd& directory) {
  if (job.kind == FileJobKind::kReplace) {
    if (auto removed = RemoveUnfinished(directory, *job.path); !removed) {
      return Failure(removed.error());
    }
  }
  auto file = fs::CreateIn(directory, job.path->Name(), *job.intent);
  if (!file) {
    return Failure(file.error());
  }
  FileResult result;
  result.identity = std::move(file->identity);
  result.fd = std::move(file->fd);
  return result;
}

FileResult InPinnedDirectory(const FileJob& job) {
  const auto directory = fs::ResolvePinned(job.path->Parent(), *job.directory);
  if (!directory) {
    return Failure(directory.error());
  }
  if (job.kind == FileJobKind::kFind) {
    return Find(*job.path);
  }
  if (job.kind != FileJobKind::kLook) {
    return Create(job, *directory);
  }
  const auto exists = fs::ExistsIn(*directory, job.path->Name());
  if (!exists) {
    return Failure(exists.error());
  }
  FileResult result;
  result.exists = *exists;
  return result;
}

FileResult Confirm(const FileJob& job) {
  const auto file = fs::ResolveNoSymlinks(*job.path);
  if (!file) {
    return Failure(file.error());
  }
  auto now = fs::IdentityOf(*file, fs::HandleUse::kRead);
  if (!now) {
    return Failure(now.error());
  }
  if (!SameFileAcrossMounts(*job.pinned, *now)) {
    return Failure({ErrorCode::kConflict, 0,
                    "nothing says that " + Quote(job.path->str()) + " is the file it was"});
  }
  FileResult result;
  result.identity = std::move(*now);
  return result;
}

}  // namespace

FileResult Perform(const FileJob& job) {
  if (!job.alias.empty()) {
    if (const auto checked = fs::CheckAlias(job.alias, *job.alias_identity); !checked) {
      FileResult result = Failure(checked.error());
      result.alias_failed = true;
      return result;
    }
  }
  switch (job.kind) {
    case FileJobKind::kCheck:
    case FileJobKind::kStat:
    case FileJobKind::kOpen:
    case FileJobKind::kUnlink:
      return OnPinnedFile(job);
    case FileJobKind::kConfirm:
      return Confirm(job);
    case FileJobKind::kLook:
    case FileJobKind::kFind:
    case FileJobKind::kCreate:
    case FileJobKind::kReplace:
      break;
  }
  return InPinnedDirectory(job);
}

}  // namespace openhook::worker
