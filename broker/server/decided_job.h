// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Between a decision and the job that carries it out, and whether the two still belong together
// when the job was done later.

#ifndef BROKER_SERVER_DECIDED_JOB_H_
#define BROKER_SERVER_DECIDED_JOB_H_

#include <optional>
#include <string>

#include "broker/server/answer.h"
#include "broker/server/broker.h"
#include "broker/whitelist/decide.h"
#include "broker/worker/file_job.h"

namespace openhook::server {

// The job of an allowed decision; `kind` is what to do with a file that exists. Borrows from the
// decision, and stays where it was made.
class DecidedJob {
 public:
  DecidedJob(const whitelist::Decision& decision, worker::FileJobKind kind,
             const OpenIntent* intent);
  DecidedJob(const DecidedJob&) = delete;
  DecidedJob& operator=(const DecidedJob&) = delete;

  [[nodiscard]] const worker::FileJob& job() const { return job_; }

 private:
  std::optional<CanonicalPath> name_;
  worker::FileJob job_;
};

// Can the file system that the decision leads to keep the broker waiting?
bool NeedsWorker(const Broker& broker, const whitelist::Decision& decision);

// Which file a decision was about, kept while a worker looks at it.
class DecidedFile {
 public:
  explicit DecidedFile(const whitelist::Decision& decision);

  // Nothing when `now` allows the same for the same file; otherwise the answer.
  [[nodiscard]] std::optional<Answer> AnswerIfOther(const whitelist::Decision& now) const;

 private:
  std::string path_;
  std::optional<FileIdentity> identity_;
  std::optional<FileIdentity> directory_;
};

}  // namespace openhook::server

#endif  // BROKER_SERVER_DECIDED_JOB_H_
