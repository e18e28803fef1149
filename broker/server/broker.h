// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One VM's broker without its sockets: the whitelist, its store and the audit log, and the changes
// that keep the three in step. A change is resolved against the file system, planned, made durable,
// and only then applied; each leaves exactly one audit event.

#ifndef BROKER_SERVER_BROKER_H_
#define BROKER_SERVER_BROKER_H_

#include <memory>
#include <string>
#include <vector>

#include "broker/audit/audit_log.h"
#include "broker/base/result.h"
#include "broker/fs/create.h"
#include "broker/server/options.h"
#include "broker/store/store.h"
#include "broker/whitelist/decide.h"
#include "broker/whitelist/whitelist.h"

namespace openhook::server {

// One wanted grant, as a manager words it.
struct WantedGrant {
  std::string path;                  // absolute, may lead through symlinks
  std::vector<std::string> aliases;  // absolute
  whitelist::GrantAccess access = whitelist::GrantAccess::kRead;
  std::string source;
  std::string format;
  std::string role;
  std::uint32_t depth = 0;
  std::uint64_t expected_dev = 0;  // with expected_ino 0: not said
  std::uint64_t expected_ino = 0;
};

using SharedSubject = std::shared_ptr<const audit::Subject>;

class Broker {
 public:
  // Opens the store, confirms what it says after a reboot, and finishes or undoes an interrupted
  // creation. Errors are for the administrator; the broker does not start with a doubtful store.
  static Result<std::unique_ptr<Broker>> Start(Options options,
                                               std::vector<std::unique_ptr<audit::Sink>> sinks);

  // All or nothing. Returns what is in force afterwards.
  Result<whitelist::Change> Grant(const std::string& lease, const std::vector<WantedGrant>& wanted,
                                  SharedSubject subject);
  // Returns the grants that were taken away.
  Result<std::vector<whitelist::Grant>> Revoke(const std::string& lease,
                                               const std::vector<std::string>& paths,
                                               SharedSubject subject);

  // Makes the file that a decision with Step::kCreate allows and records it as the VM's own.
  // Errors as fs::CreateIn().
  Result<IoFd> CreateForVm(const whitelist::Decision& decision, const OpenIntent& intent);
  // Removes a file that the VM made. Errors as fs::UnlinkIn().
  Result<void> UnlinkForVm(const whitelist::Entry& entry);

  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] const whitelist::Whitelist& whitelist() const { return whitelist_; }
  [[nodiscard]] audit::AuditLog& audit() { return audit_; }

 private:
  Broker(Options options, store::Store store, whitelist::Whitelist whitelist,
         std::vector<std::unique_ptr<audit::Sink>> sinks);
  Result<void> Commit(const whitelist::Change& change);
  [[nodiscard]] std::string CreatingLease(const whitelist::Entry& entry) const;

  Options options_;
  store::Store store_;
  whitelist::Whitelist whitelist_;
  audit::AuditLog audit_;
};

}  // namespace openhook::server

#endif  // BROKER_SERVER_BROKER_H_
