// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A client that keeps to no rule: plain sendmsg(2) and recvmsg(2) on a broker's socket, with any
// bytes and any control data. Shares nothing with the code under test but the messages.

#ifndef TESTS_SUPPORT_RAW_PEER_H_
#define TESTS_SUPPORT_RAW_PEER_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/unique_fd.h"
#include "proto/control.pb.h"
#include "proto/openhook.pb.h"

namespace openhook::testing_support {

struct Packet {
  enum class Kind { kData, kClosed, kNothing };  // nothing: not within the time

  Kind kind = Kind::kNothing;
  std::string bytes;
  std::vector<UniqueFd> fds;
  int flags = 0;  // msg_flags
};

class RawPeer {
 public:
  // Nothing when connect(2) fails; errno says why.
  static std::optional<RawPeer> Connect(const std::string& path);
  // A socket that was connected elsewhere.
  explicit RawPeer(UniqueFd socket) : socket_(std::move(socket)) {}

  // False when the kernel does not take it; errno says why. Never blocks.
  [[nodiscard]] bool Send(std::string_view bytes) const;
  // With control data, one header after the other, as CMSG_* lays them out.
  [[nodiscard]] bool SendWithControl(std::string_view bytes, const std::string& control) const;
  // As Send(), but waits for room; false after a few seconds or when the broker closed.
  [[nodiscard]] bool SendPatiently(std::string_view bytes) const;
  [[nodiscard]] Packet Receive(int timeout_ms = 10'000) const;
  // Reads until the broker closes; false when it does not.
  [[nodiscard]] bool IsClosedByBroker() const;

  [[nodiscard]] int Get() const { return socket_.Get(); }

 private:
  UniqueFd socket_;
};

// One control header with `descriptors` in it.
std::string RightsHeader(const std::vector<int>& descriptors);
std::string CredentialsHeader();

proto::Request HelloRequest();
proto::Request OpenRequest(const std::string& path, std::uint64_t id = 1);

// Says Hello on a new connection to open.sock. Nothing when the broker does not agree.
std::optional<RawPeer> ConnectGreeted(const std::string& path);

struct OpenAnswer {
  proto::Reply reply;
  UniqueFd fd;
};
// Sends one request and reads one reply. Nothing when the broker closes or does not answer in time.
std::optional<OpenAnswer> Ask(const RawPeer& peer, const proto::Request& request);
// A whole conversation on control.sock. The outcome is UNSPECIFIED when there was no answer.
proto::ControlReply AskControl(const std::string& path, const proto::ControlRequest& request);

}  // namespace openhook::testing_support

#endif  // TESTS_SUPPORT_RAW_PEER_H_
