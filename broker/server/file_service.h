// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Carries out one request on a file: the decision, its step on the file system, and the answer.
// The whitelist decides first, then the security module, then the file is looked at.
// Files on local file systems are answered before the function returns. For others a worker process
// is asked, and the answer comes later; the whitelist may have changed by then, so it decides
// again.

#ifndef BROKER_SERVER_FILE_SERVICE_H_
#define BROKER_SERVER_FILE_SERVICE_H_

#include <functional>

#include "broker/base/open_intent.h"
#include "broker/server/answer.h"
#include "broker/server/broker.h"
#include "broker/whitelist/decide.h"

namespace openhook::server {

// Called exactly once, perhaps before the function that takes it returns.
using AnswerDone = std::function<void(Answer)>;

// Who asks, and for what: the label has to outlive the request.
struct Asking {
  Broker* broker;
  const label::PeerLabel* peer;
};

void Open(const Asking& asking, const whitelist::AskedName& name, const OpenIntent& intent,
          AnswerDone done);
void Stat(const Asking& asking, const whitelist::AskedName& name, AnswerDone done);
void CheckAccess(const Asking& asking, const whitelist::AskedName& name,
                 const whitelist::AskedAccess& asked, AnswerDone done);
void Unlink(const Asking& asking, const whitelist::AskedName& name, AnswerDone done);

// What Open() would answer, without opening, creating or truncating anything. As Open(), it takes a
// lock for writing that is missing, if that can be had.
void ExplainOpen(const Asking& asking, const whitelist::AskedName& name, const OpenIntent& intent,
                 AnswerDone done);

}  // namespace openhook::server

#endif  // BROKER_SERVER_FILE_SERVICE_H_
