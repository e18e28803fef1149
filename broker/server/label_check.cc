// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/label_check.h"

#include "broker/base/text.h"

namespace openhook::server {

using label::FileUse;
using label::FileUses;
using whitelist::Decision;
using whitelist::Step;

namespace {

std::optional<Answer> AnswerTo(const Result<void>& may) {
  return may ? std::nullopt
             : std::optional<Answer>(Denied(whitelist::Rule::kLabelDenies, may.error().Message()));
}

}  // namespace

// As the kernel looks at a descriptor that arrives in a confined process: by its mode, with append
// in the place of write. Emptying is writing.
FileUses UsesOf(const OpenIntent& intent) {
  FileUses uses;
  if (intent.access != Access::kWrite) {
    uses.Add(FileUse::kRead);
  }
  if (intent.access != Access::kRead) {
    uses.Add(intent.append ? FileUse::kAppend : FileUse::kWrite);
  }
  if (intent.truncate) {
    uses.Add(FileUse::kWrite);
  }
  return uses;
}

FileUses UsesOf(const whitelist::AskedAccess& asked) {
  FileUses uses;
  if (asked.read) {
    uses.Add(FileUse::kRead);
  }
  if (asked.write) {
    uses.Add(FileUse::kWrite);
  }
  return uses;
}

std::optional<Answer> RefuseByLabel(const Asking& asking, const Decision& decision, FileUses uses) {
  if (uses.Empty()) {
    return std::nullopt;
  }
  if (decision.step == Step::kUseExisting) {
    return AnswerTo(asking.peer->MayUse(decision.entry->path.str(), uses));
  }
  if (decision.step == Step::kCreate && asking.broker->kernel_step() == nullptr) {
    uses.Add(FileUse::kCreate);
    return AnswerTo(asking.peer->MayUse(decision.path, uses));
  }
  return std::nullopt;
}

}  // namespace openhook::server
