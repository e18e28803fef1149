// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/text_file.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

namespace openhook::fs {
namespace {

using std::chrono_literals::operator""ms;

TEST(LockInTurn, WaitsForTheOneBeforeIt) {
  const std::string path = testing::TempDir() + "lock-in-turn";
  UniqueFd first = LockInTurn(path).value();
  EXPECT_FALSE(LockAlone(path));
  std::atomic<bool> has_it = false;
  std::thread second([&] {
    const auto lock = LockInTurn(path);
    has_it = lock.has_value();
  });
  std::this_thread::sleep_for(50ms);
  EXPECT_FALSE(has_it);
  first.Reset();
  second.join();
  EXPECT_TRUE(has_it);
  EXPECT_TRUE(LockAlone(path));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace openhook::fs
