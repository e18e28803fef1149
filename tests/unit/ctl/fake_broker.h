// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A control socket in a directory of its own, behind which a script answers: each connection is
// answered packet by packet with what the test queued, and closed after the last.

#ifndef TESTS_UNIT_CTL_FAKE_BROKER_H_
#define TESTS_UNIT_CTL_FAKE_BROKER_H_

#include <string>
#include <thread>
#include <vector>

#include "broker/base/unique_fd.h"
#include "proto/control.pb.h"

namespace openhook::ctl {

// A directory below /tmp that goes away with everything in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A listening SEQPACKET socket at `path`.
UniqueFd ListenAt(const std::string& path);

class FakeBroker {
 public:
  // Answers the greeting well, then each further packet with the next of `replies`; the id of the
  // request is filled in where a reply has id 0.
  explicit FakeBroker(std::vector<proto::ControlReply> replies);
  // Raw packets instead, from the greeting on.
  explicit FakeBroker(std::vector<std::string> packets);
  ~FakeBroker();

  [[nodiscard]] std::string socket() const { return directory_.path() + "/control.sock"; }
  // What came after the greeting; complete once the client has ended.
  std::vector<proto::ControlRequest> Requests();

 private:
  void Serve(std::vector<proto::ControlReply> replies);
  void ServeRaw(const std::vector<std::string>& packets);

  TemporaryDirectory directory_;
  UniqueFd listener_;
  std::vector<proto::ControlRequest> requests_;
  std::thread server_;
};

proto::ControlReply Greeting();
proto::ControlReply Reply(proto::Outcome outcome);

}  // namespace openhook::ctl

#endif  // TESTS_UNIT_CTL_FAKE_BROKER_H_
