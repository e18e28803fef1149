// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which files' descriptors may be on their way to one client: sent and not yet received, where
// /proc does not show them. A client that never reads holds what it was given, and nothing else.

#ifndef BROKER_SERVER_IN_FLIGHT_H_
#define BROKER_SERVER_IN_FLIGHT_H_

#include <set>

#include "broker/base/file_identity.h"

namespace openhook::server {

// Does the peer of a Unix socket still have something to read? In doubt it has.
bool HasUnread(int socket);

class InFlight {
 public:
  // Around the sending of a descriptor on `socket`, which may take a while.
  void BeginSending(int socket, const FileKey& file);
  void EndSending() { sending_ = false; }

  [[nodiscard]] const std::set<FileKey>& Files(int socket);

 private:
  void ForgetReceived(int socket);

  std::set<FileKey> files_;
  bool sending_ = false;
};

}  // namespace openhook::server

#endif  // BROKER_SERVER_IN_FLIGHT_H_
