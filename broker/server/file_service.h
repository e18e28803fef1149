// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Carries out one request on a file: the decision's step, and what the file system says to it. The
// answer is ready for the wire and for the audit log; it holds no message types.

#ifndef BROKER_SERVER_FILE_SERVICE_H_
#define BROKER_SERVER_FILE_SERVICE_H_

#include <sys/stat.h>

#include <optional>
#include <string>

#include "broker/audit/event.h"
#include "broker/base/open_intent.h"
#include "broker/server/broker.h"
#include "broker/whitelist/decide.h"

namespace openhook::server {

struct Answer {
  enum class Kind : std::uint8_t { kOk, kDenied, kFailed, kNotMine };
  Kind kind = Kind::kFailed;
  whitelist::Rule rule = whitelist::Rule::kNotWhitelisted;
  int sys_errno = 0;
  std::string detail;  // for the audit log only: may name other files
  std::shared_ptr<const std::vector<std::string>> leases;
  std::optional<IoFd> fd;
  std::optional<struct stat> attributes;
};

Answer Open(Broker* broker, const whitelist::AskedName& name, const OpenIntent& intent);
Answer Stat(Broker* broker, const whitelist::AskedName& name);
Answer CheckAccess(Broker* broker, const whitelist::AskedName& name,
                   const whitelist::AskedAccess& asked);
Answer Unlink(Broker* broker, const whitelist::AskedName& name);

// What Open() would answer, without opening, creating or truncating anything. As Open(), it takes a
// lock for writing that is missing, if that can be had.
Answer ExplainOpen(Broker* broker, const whitelist::AskedName& name, const OpenIntent& intent);

}  // namespace openhook::server

#endif  // BROKER_SERVER_FILE_SERVICE_H_
