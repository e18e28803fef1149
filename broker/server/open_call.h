// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An open that takes more than one step, or a worker: of a file that may keep its caller waiting,
// or of one that has to be made. Between any two steps the whitelist may change, so each begins
// with the decision of its moment.
//
//   existing file: kOpen ─┬─ done
//                         └─ gone, and may be made ─┐
//   new name:     ─────────────────────────────────┴─ kLook ─ announce ─ kCreate ─ record ─ done

#ifndef BROKER_SERVER_OPEN_CALL_H_
#define BROKER_SERVER_OPEN_CALL_H_

#include <memory>
#include <optional>
#include <string>

#include "broker/server/decided_job.h"
#include "broker/server/file_service.h"

namespace openhook::server {

class OpenCall : public std::enable_shared_from_this<OpenCall> {
 public:
  OpenCall(const Asking& asking, const whitelist::AskedName& name, const OpenIntent& intent,
           AnswerDone done);

  // `decision` is the whitelist's of this moment, and allows.
  void Start(const whitelist::Decision& decision);
  // The granted file is gone; it is looked for as a name that may be made.
  void StartMaking(const whitelist::Decision& decision);

  // Does this answer to an open mean that the file has to be made?
  static bool MeansMaking(const whitelist::Decision& decision, const OpenIntent& intent,
                          const worker::FileResult& result);

 private:
  [[nodiscard]] whitelist::Decision Decide() const;
  [[nodiscard]] std::optional<Answer> AnswerIfChanged(const whitelist::Decision& now) const;
  using Next = void (OpenCall::*)(worker::FileResult);
  void Run(const whitelist::Decision& decision, worker::FileJobKind kind, Next next);
  void TakeOpened(worker::FileResult result);
  void TakeLook(worker::FileResult result);
  void Make(const whitelist::Decision& decision);
  void TakeMade(worker::FileResult result);
  void TakeNotMade(const worker::FileResult& result);
  void Undo(const FileIdentity& identity);
  void Deliver(Answer answer);
  void Finish(Answer answer);

  Broker* broker_;
  const label::PeerLabel* peer_;
  std::string path_;
  std::string cwd_;
  OpenIntent intent_;
  AnswerDone done_;
  worker::Jobs jobs_;
  worker::Clock::time_point until_;
  std::optional<DecidedFile> asked_;
  std::optional<store::Creating> creating_;
  std::shared_ptr<const std::vector<std::string>> leases_;
};

}  // namespace openhook::server

#endif  // BROKER_SERVER_OPEN_CALL_H_
