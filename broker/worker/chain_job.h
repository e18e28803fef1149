// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the headers of a disk say at this moment: its chain, as the grants that would make it
// usable. A request of whoever wrote the headers, and no more.

#ifndef BROKER_WORKER_CHAIN_JOB_H_
#define BROKER_WORKER_CHAIN_JOB_H_

#include <string>

#include "broker/base/result.h"
#include "proto/control.pb.h"

namespace openhook::worker {

struct ChainJob {
  std::string image;  // the active one
  // As it is recorded. Empty: to be probed; then an empty file is told without a format.
  std::string format;
  proto::GrantAccess top = proto::GRANT_ACCESS_READ;
  std::string source;
  bool shareable = false;
  std::string slowest;  // the member whose file system may keep the job waiting
};

// Errors: those of chain::ReadChainOf(); kLimit for a chain whose names do not fit into a packet.
Result<proto::GrantRequest> Perform(const ChainJob& job);

}  // namespace openhook::worker

#endif  // BROKER_WORKER_CHAIN_JOB_H_
