// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tests/unit/server/test_broker.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>
#include <utility>

namespace openhook::server {

TestBroker::TestBroker(const std::string& vm, const std::string& lock_dir) {
  options.vm = vm;
  options.lock_dir = lock_dir;
  options.state_dir = tree.Directory("state");
  options.run_dir = tree.Directory("run");
  options.vm_uid = ::geteuid();
  tree.Directory("images");
  Restart();
}

void TestBroker::Restart() {
  broker_.reset();
  auto broker = Broker::Start(options, {});
  if (!broker) {
    ADD_FAILURE() << broker.error().Message();
    std::abort();
  }
  broker_ = std::move(*broker);
  label_ = broker_->labels().Demanded();
}

Result<whitelist::Change> TestBroker::Give(const std::string& path, whitelist::GrantAccess access,
                                           const std::string& lease) {
  WantedGrant wanted;
  wanted.path = path;
  wanted.access = access;
  return broker_->Grant(lease, {wanted}, nullptr);
}

Answer Now(const std::function<void(AnswerDone)>& ask) {
  std::optional<Answer> answer;
  ask([&answer](Answer given) { answer = std::move(given); });
  EXPECT_TRUE(answer) << "without workers every answer comes at once";
  return answer ? std::move(*answer) : Answer();
}

}  // namespace openhook::server
