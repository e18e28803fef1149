// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/in_flight.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

namespace openhook::server {

// SIOCOUTQ counts what lies in the peer's queue (unix(7)).
bool HasUnread(int socket) {
  int bytes = 0;
  return ::ioctl(socket, SIOCOUTQ, &bytes) != 0 || bytes > 0;
}

void InFlight::BeginSending(int socket, const FileKey& file) {
  // Which of the replies the peer has read cannot be told; that it has read all of them can.
  ForgetReceived(socket);
  files_.insert(file);
  sending_ = true;
}

const std::set<FileKey>& InFlight::Files(int socket) {
  if (!sending_) {
    ForgetReceived(socket);
  }
  return files_;
}

void InFlight::ForgetReceived(int socket) {
  if (!HasUnread(socket)) {
    files_.clear();
  }
}

}  // namespace openhook::server
