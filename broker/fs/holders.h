// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who has which file open, from /proc/PID/fd. A VM's word about what it closed is no more than a
// hint; this is what the kernel says. To look at processes of another user takes CAP_SYS_PTRACE.
// Processes are found by their user, whether or not they are dumpable (the owner of /proc/PID
// itself is always the effective user). Not seen: a mapping whose descriptor was closed, and a
// descriptor on its way through a socket.

#ifndef BROKER_FS_HOLDERS_H_
#define BROKER_FS_HOLDERS_H_

#include <sys/types.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "broker/base/file_identity.h"
#include "broker/base/held.h"
#include "broker/base/result.h"

namespace openhook::fs {

struct Holder {
  pid_t pid = 0;
  std::string program;  // its own word, for people
  Held how = Held::kNot;
};

// What processes held at the moment of the scan.
class HeldFiles {
 public:
  // Looks at all processes of the user, and at those in `pids`; never at our own. Asks no file
  // system for anything but what the kernel knows, so that a server that hangs does not matter.
  // A process that may not be looked at counts as holding everything. Errors: kUnavailable when
  // /proc cannot be read.
  static Result<HeldFiles> Scan(uid_t user, const std::set<pid_t>& pids);

  [[nodiscard]] Held How(const FileIdentity& file) const;
  [[nodiscard]] std::vector<Holder> HoldersOf(const FileIdentity& file) const;

 private:
  void AddProcess(pid_t pid);

  std::map<FileKey, std::map<pid_t, Held>> held_;
  std::set<pid_t> unknown_;  // processes that may not be looked at
};

}  // namespace openhook::fs

#endif  // BROKER_FS_HOLDERS_H_
