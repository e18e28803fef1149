// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/decided_job.h"

#include <cerrno>

namespace openhook::server {

using whitelist::Decision;
using whitelist::Step;
using worker::FileJobKind;

namespace {

bool IsAboutAFile(const Decision& decision) {
  return decision.step == Step::kUseExisting || decision.step == Step::kAlreadyThere;
}

template <class T>
std::optional<T> CopyOf(const T* value) {
  return value != nullptr ? std::optional<T>(*value) : std::nullopt;
}

bool Same(const std::optional<FileIdentity>& before, const FileIdentity* now) {
  return !before || (now != nullptr && SameFile(*before, *now));
}

}  // namespace

DecidedJob::DecidedJob(const Decision& decision, FileJobKind kind, const OpenIntent* intent) {
  job_.alias = decision.alias;
  job_.alias_identity = decision.alias_identity;
  job_.directory = decision.directory;
  job_.intent = intent;
  if (IsAboutAFile(decision)) {
    job_.kind = decision.step == Step::kAlreadyThere ? FileJobKind::kCheck : kind;
    job_.path = &decision.entry->path;
    job_.pinned = &*decision.entry->identity;
    return;
  }
  const bool makes = kind == FileJobKind::kCreate || kind == FileJobKind::kReplace;
  job_.kind = makes ? kind : FileJobKind::kLook;
  auto name = CanonicalPath::Parse(decision.path);
  CheckOrDie(name.has_value() && decision.directory != nullptr,
             "a name that may be made is canonical and its directory is pinned");
  name_ = std::move(*name);
  job_.path = &*name_;
}

bool NeedsWorker(const Broker& broker, const Decision& decision) {
  return decision.entry != nullptr && decision.entry->may_block && broker.jobs().pool() != nullptr;
}

DecidedFile::DecidedFile(const Decision& decision)
    : path_(decision.path), directory_(CopyOf(decision.directory)) {
  if (IsAboutAFile(decision)) {
    identity_ = decision.entry->identity;
  }
}

std::optional<Answer> DecidedFile::AnswerIfOther(const Decision& now) const {
  if (auto answer = AnswerAtOnce(now)) {
    return answer;
  }
  const FileIdentity* identity =
      now.entry != nullptr && now.entry->identity ? &*now.entry->identity : nullptr;
  if (now.path == path_ && Same(directory_, now.directory) && Same(identity_, identity)) {
    return std::nullopt;
  }
  return Failed(EIO, "the grant changed while a worker process looked at the file; ask again");
}

}  // namespace openhook::server
