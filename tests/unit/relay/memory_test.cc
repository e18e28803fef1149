// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/relay/memory.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace openhook::relay {
namespace {

TEST(Memory, RemembersTheLastText) {
  auto memory = Memory::Make();
  ASSERT_TRUE(memory);
  EXPECT_EQ(*memory->Read(), "");
  for (const char* text : {"one", "a longer one", "", "three"}) {
    ASSERT_TRUE(memory->Write(text));
    EXPECT_EQ(*memory->Read(), text);
  }
}

TEST(Memory, ATextThatIsTooLongLeavesTheOneBefore) {
  auto memory = Memory::Make();
  ASSERT_TRUE(memory->Write("before"));
  EXPECT_EQ(memory->Write(std::string(Memory::kMaxBytes + 1, 'x')).error().code, ErrorCode::kLimit);
  EXPECT_EQ(*memory->Read(), "before");
}

// The writer is killed at any moment; what is read is a text that it wrote, whole.
TEST(Memory, AfterASigkillItIsOneTextOrTheOther) {
  auto memory = Memory::Make();
  ASSERT_TRUE(memory->Write(std::string(50'000, 'a')));
  for (int round = 0; round < 40; ++round) {
    const pid_t writer = ::fork();
    if (writer == 0) {
      for (char c = 'a';; c = c == 'z' ? 'a' : static_cast<char>(c + 1)) {
        (void)memory->Write(std::string(50'000, c));
      }
    }
    ::usleep(static_cast<useconds_t>(500 + round * 97));
    ::kill(writer, SIGKILL);
    ::waitpid(writer, nullptr, 0);
    const auto text = memory->Read();
    ASSERT_TRUE(text);
    ASSERT_EQ(text->size(), 50'000U);
    ASSERT_EQ(text->find_first_not_of(text->front()), std::string::npos) << "a mixture";
  }
}

}  // namespace
}  // namespace openhook::relay
