// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A broker on a directory of the test's own, without sockets.

#ifndef TESTS_UNIT_SERVER_TEST_BROKER_H_
#define TESTS_UNIT_SERVER_TEST_BROKER_H_

#include <functional>
#include <memory>
#include <string>

#include "broker/server/broker.h"
#include "broker/server/file_service.h"
#include "tests/support/temp_tree.h"

namespace openhook::server {

// What one of file_service.h's functions answers. Without workers, that is before it returns.
Answer Now(const std::function<void(AnswerDone)>& ask);

class TestBroker {
 public:
  TestBroker() : TestBroker("11111111-2222-3333-4444-555555555555", "") {}
  // Of another VM on the same host, when `lock_dir` is another broker's.
  TestBroker(const std::string& vm, const std::string& lock_dir);

  // As after a crash: a new broker on the same state.
  void Restart();
  // Between its end and the next Restart() it does not run.
  void Stop() { broker_.reset(); }

  Result<whitelist::Change> Give(const std::string& path, whitelist::GrantAccess access,
                                 const std::string& lease = "domain");

  Broker* operator->() { return broker_.get(); }
  Broker* get() { return broker_.get(); }
  // A peer as the back end for labels demands it.
  Asking asking() { return {broker_.get(), label_.get()}; }
  testing::TempTree tree;  // state/, run/ and images/
  Options options;

 private:
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<label::PeerLabel> label_;
};

}  // namespace openhook::server

#endif  // TESTS_UNIT_SERVER_TEST_BROKER_H_
