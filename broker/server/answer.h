// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The answer to one request on a file, ready for the wire and for the audit log; it holds no
// message types. Made of the decision, and of what the file system said to it.

#ifndef BROKER_SERVER_ANSWER_H_
#define BROKER_SERVER_ANSWER_H_

#include <sys/stat.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/base/file_identity.h"
#include "broker/base/result.h"
#include "broker/base/unique_fd.h"
#include "broker/whitelist/decide.h"
#include "broker/worker/file_job.h"

namespace openhook::server {

struct Answer {
  enum class Kind : std::uint8_t { kOk, kDenied, kFailed, kNotMine };
  Kind kind = Kind::kFailed;
  whitelist::Rule rule = whitelist::Rule::kNotWhitelisted;
  int sys_errno = 0;
  std::string detail;  // for the audit log only: may name other files
  std::shared_ptr<const std::vector<std::string>> leases;
  // What was opened: a descriptor of ours, or one that a worker holds.
  std::optional<IoFd> fd;
  std::optional<worker::HeldFile> held;
  std::optional<FileKey> file;  // with a descriptor: which file it is
  std::optional<struct stat> attributes;
};

Answer Denied(whitelist::Rule rule, std::string detail = {});
Answer Failed(int sys_errno, std::string detail);
Answer Ok(const whitelist::Decision& decision);

// A file-system error on the way to a granted file: a changed name is a denial, the rest a failure.
Answer FromError(const Error& error, whitelist::Rule when_changed);

// Decisions that need no file.
std::optional<Answer> AnswerAtOnce(const whitelist::Decision& decision);

// The job of an allowed decision is done; so is the request.
Answer AnswerTo(const whitelist::Decision& decision, worker::FileResult result);

}  // namespace openhook::server

#endif  // BROKER_SERVER_ANSWER_H_
