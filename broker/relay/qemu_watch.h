// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The relay's own monitor: its eyes on QEMU's jobs while no manager is there, and how it learns
// that QEMU is gone. It only asks what is over.

#ifndef BROKER_RELAY_QEMU_WATCH_H_
#define BROKER_RELAY_QEMU_WATCH_H_

#include <poll.h>

#include <string>

#include "broker/relay/framing.h"
#include "broker/relay/gate.h"
#include "broker/relay/sockets.h"

namespace openhook::relay {

class QemuWatch {
 public:
  // `name`: O_PATH descriptor of the socket that QEMU listens at.
  QemuWatch(int name, Gate* gate) : name_(name), gate_(gate) {}

  // Connects when it is not connected. False: nobody holds the socket any more.
  bool Connect();
  [[nodiscard]] bool IsConnected() const { return socket_.IsValid(); }
  [[nodiscard]] pollfd Wants() const;
  void Serve(short events);

  // Asks which jobs there are; what is over ends when the answer comes.
  void AskForJobs();
  // Asks how the migration goes.
  void AskForMigration();

 private:
  void Ask(const std::string& line);
  void OnLine(const std::string& line);
  void OnJobs(const Json& list);

  int name_;
  Gate* gate_;
  UniqueFd socket_;
  LineSplitter lines_;
  Outgoing outgoing_;
  // Of the newest question; an older answer says nothing any more.
  std::uint64_t question_ = 0;
};

}  // namespace openhook::relay

#endif  // BROKER_RELAY_QEMU_WATCH_H_
