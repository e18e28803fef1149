// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Reads the headers of the VM's disks again when the broker starts and when a job of a disk has
// ended, and compares them with the chain records. What no job explains is followed as the drift
// policy says, or refused; both are events. A chain that only ends earlier is reported, not
// followed. One disk at a time, in a worker, while the broker goes on: nothing waits for it.

#ifndef BROKER_SERVER_HEADER_CHECK_H_
#define BROKER_SERVER_HEADER_CHECK_H_

#include <set>
#include <string>
#include <vector>

#include "broker/base/result.h"
#include "broker/server/broker.h"
#include "proto/control.pb.h"

namespace openhook::server {

// Reads the headers of a recorded disk, which has images.
worker::ChainJob ChainJobFor(const whitelist::Whitelist& whitelist,
                             const whitelist::ChainRecord& record);

class HeaderCheck {
 public:
  // Begins with all disks that are recorded.
  explicit HeaderCheck(Broker* broker);
  ~HeaderCheck();
  HeaderCheck(const HeaderCheck&) = delete;
  HeaderCheck& operator=(const HeaderCheck&) = delete;

 private:
  void Add(const std::string& disk);
  void CheckNext();
  void TakeHeaders(const whitelist::ChainRecord& record, const Result<proto::GrantRequest>& read);
  void TakeGrants(const whitelist::ChainRecord& record, const std::vector<WantedGrant>& wanted,
                  Broker::Resolved grants);
  [[nodiscard]] bool StillConcerns(const whitelist::ChainRecord& record) const;
  void Finish();
  // An event, and the end of this check. `what`: the predicate of "the headers of the disk ...".
  void Report(const whitelist::ChainRecord& record, const std::string& what);

  Broker* broker_;
  std::set<std::string> waiting_;
  bool checking_ = false;
};

}  // namespace openhook::server

#endif  // BROKER_SERVER_HEADER_CHECK_H_
