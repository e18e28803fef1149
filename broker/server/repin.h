// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Many questions about files at once, for the start of a broker: local ones are answered on the
// spot, those that may block by workers, side by side and within one deadline.

#ifndef BROKER_SERVER_REPIN_H_
#define BROKER_SERVER_REPIN_H_

#include <string>
#include <vector>

#include "broker/base/canonical_path.h"
#include "broker/base/file_identity.h"
#include "broker/worker/jobs.h"

namespace openhook::server {

enum class FileSystemKind : std::uint8_t { kLocal, kMayBlock };

struct Question {
  worker::FileJobKind kind;  // kConfirm: is it `pinned`? kFind: in the directory `pinned`
  CanonicalPath path;
  FileIdentity pinned;
  FileSystemKind where = FileSystemKind::kLocal;
  worker::FileResult answer = {};
};

void AnswerAll(std::vector<Question>* questions, const worker::Jobs& jobs);

}  // namespace openhook::server

#endif  // BROKER_SERVER_REPIN_H_
