// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The other end of loader.sock, in the hands of a test: it sees which lists of rules a broker sends
// and answers when and what the test says. The real loader needs a kernel that has AppArmor
// (tests/lsm).

#ifndef TESTS_UNIT_SERVER_FAKE_LOADER_H_
#define TESTS_UNIT_SERVER_FAKE_LOADER_H_

#include <map>
#include <optional>
#include <string>

#include "broker/base/unique_fd.h"
#include "proto/loader.pb.h"

namespace openhook::server {

class FakeLoader {
 public:
  explicit FakeLoader(const std::string& path);

  // Paths with true where writing is given; nothing when no whole list has come.
  using List = std::map<std::string, bool>;
  std::optional<List> Take();
  // To the list that was taken last.
  void Answer(proto::LoaderOutcome outcome, const std::string& reason = "");
  // Unasked.
  void Tell(proto::LoaderOutcome outcome, const std::string& reason);
  // Ends the connection, as a loader that is killed.
  void HangUp() { client_.Reset(); }

  [[nodiscard]] int lists() const { return lists_; }
  [[nodiscard]] int packets() const { return packets_; }

 private:
  void Send(const proto::LoaderReply& reply) const;

  UniqueFd listening_;
  UniqueFd client_;
  List list_;
  std::uint64_t id_ = 0;
  int lists_ = 0;
  int packets_ = 0;
};

}  // namespace openhook::server

#endif  // TESTS_UNIT_SERVER_FAKE_LOADER_H_
