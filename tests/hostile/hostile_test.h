// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What every hostile test demands, whatever its peer did: afterwards the broker holds exactly the
// descriptors that it held before, it has not grown, it has written nothing for the peer into its
// own log, and it serves a good client and an administrator.

#ifndef TESTS_HOSTILE_HOSTILE_TEST_H_
#define TESTS_HOSTILE_HOSTILE_TEST_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/broker_process.h"
#include "tests/support/raw_peer.h"

namespace openhook::hostile {

class HostileTest : public ::testing::Test {
 protected:
  // The audit ring fills up to 1024 events of a few KiB; beyond that, growth is a leak.
  static constexpr std::size_t kMaxGrowthKib = 32 * 1024;

  void SetUp() override { StartBroker({}); }
  void TearDown() override { ExpectUnharmed(); }

  void StartBroker(const std::vector<std::string>& extra);
  void ExpectUnharmed();

  // A good client opens the granted file and reads it.
  void ExpectServesOpen() const;
  // An administrator gets the status.
  void ExpectServesControl() const;

  [[nodiscard]] testing_support::RawPeer Connected() const;
  [[nodiscard]] testing_support::RawPeer Greeted() const;

  std::unique_ptr<testing_support::BrokerProcess> broker_;
  std::string granted_;  // path of a file with a read grant
  std::string secret_;   // and of one without

 private:
  std::size_t descriptors_ = 0;
  std::size_t resident_kib_ = 0;
};

}  // namespace openhook::hostile

#endif  // TESTS_HOSTILE_HOSTILE_TEST_H_
