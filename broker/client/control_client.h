// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One greeted connection to a broker's control.sock: a request goes out, its reply comes back.
// Anything but OUTCOME_OK is an Error with the broker's own words, and so is an outcome that this
// program does not know. A Call() that fails with kUnavailable may have taken effect all the same.

#ifndef BROKER_CLIENT_CONTROL_CLIENT_H_
#define BROKER_CLIENT_CONTROL_CLIENT_H_

#include <cstdint>
#include <string>

#include "broker/base/limits.h"
#include "broker/base/result.h"
#include "broker/base/unique_fd.h"
#include "proto/control.pb.h"

namespace openhook::client {

class ControlClient {
 public:
  // Connects and says Hello. Errors tell an administrator what to do: no broker runs there, the
  // caller is in no group that may, the versions do not meet.
  // `program` is who calls, for the broker's log.
  static Result<ControlClient> Connect(const std::string& socket_path,
                                       const std::string& program = "openhookctl");

  // The UUID of the VM that the broker serves, from its greeting.
  [[nodiscard]] const std::string& Vm() const { return vm_; }

  // Sends `request` (its id is set here) and waits for the one reply, at most kReplySeconds.
  Result<proto::ControlReply> Call(proto::ControlRequest request);

  // The same, with an outcome other than OK as a reply and not as an Error.
  Result<proto::ControlReply> TryCall(proto::ControlRequest request);

  // For a request with many replies (watch): the send alone, then one reply after the other.
  Result<void> Send(proto::ControlRequest request);
  enum class Patience : std::uint8_t { kDeadline, kForever };
  Result<proto::ControlReply> Receive(Patience patience);

 private:
  ControlClient(UniqueFd socket, std::string socket_path)
      : socket_(std::move(socket)), socket_path_(std::move(socket_path)) {}
  Result<void> Greet(const std::string& program);
  Result<proto::ControlReply> ReceiveAny(Patience patience);

  UniqueFd socket_;
  std::string socket_path_;
  std::string vm_;
  std::size_t max_packet_ = limits::kMaxControlPacket;  // the broker may name a smaller one
  std::uint64_t last_id_ = 0;
};

}  // namespace openhook::client

#endif  // BROKER_CLIENT_CONTROL_CLIENT_H_
