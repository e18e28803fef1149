// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One manager on the monitor, and the connection to QEMU that it has for itself. Bytes pass as they
// came, descriptors with them. Commands pass one at a time, since a refusal has to stand among
// QEMU's answers where the manager expects it; out-of-band ones pass at once.

#ifndef BROKER_RELAY_MANAGER_SESSION_H_
#define BROKER_RELAY_MANAGER_SESSION_H_

#include <poll.h>

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "broker/relay/framing.h"
#include "broker/relay/gate.h"
#include "broker/relay/sockets.h"

namespace openhook::relay {

class ManagerSession {
 public:
  ManagerSession(UniqueFd manager, UniqueFd qemu, Gate* gate);
  ~ManagerSession() = default;
  ManagerSession(const ManagerSession&) = delete;
  ManagerSession& operator=(const ManagerSession&) = delete;

  [[nodiscard]] pollfd WantsOfManager() const;
  [[nodiscard]] pollfd WantsOfQemu() const;
  void Serve(short manager_events, short qemu_events);
  // One of the two is gone, or does not keep to the protocol.
  [[nodiscard]] bool IsOver() const { return over_; }

 private:
  struct Frame {
    std::string bytes;
    std::vector<UniqueFd> descriptors;
  };
  struct InFlight {
    std::optional<Json> id;
    bool followed = false;
    bool negotiates = false;
  };

  void ReadManager();
  void ReadQemu();
  void Flush();
  void PassCommands();
  void PassOutOfBand();
  void Pass(Frame frame);
  void OnLine(const std::string& line);
  void OnAnswer(const Json& message);
  [[nodiscard]] bool MayPass() const;
  [[nodiscard]] bool IsCrowded() const;

  UniqueFd manager_;
  UniqueFd qemu_;
  Gate* gate_;
  CommandFramer framer_;
  LineSplitter lines_;
  std::vector<UniqueFd> descriptors_;  // came with a command that is not complete
  std::deque<Frame> queue_;
  std::optional<InFlight> in_flight_;
  Outgoing to_manager_;
  Outgoing to_qemu_;
  std::string fault_;  // of the manager's stream; nothing of it is read any more
  bool negotiated_ = false;
  bool ended_ = false;  // the manager sends no more
  bool over_ = false;
};

}  // namespace openhook::relay

#endif  // BROKER_RELAY_MANAGER_SESSION_H_
