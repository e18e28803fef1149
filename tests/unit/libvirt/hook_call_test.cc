// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/libvirt/hook_call.h"

#include <gtest/gtest.h>

namespace openhook::libvirt {
namespace {

TEST(HookCall, ThreePhasesConcernUs) {
  EXPECT_EQ(PhaseOf({"vm1", "start", "begin", "-"}), Phase::kStart);
  EXPECT_EQ(PhaseOf({"vm1", "reconnect", "begin", "-"}), Phase::kReconnect);
  EXPECT_EQ(PhaseOf({"vm1", "release", "end", "-"}), Phase::kRelease);
  for (const char* operation : {"prepare", "started", "stopped", "migrate", "restore", "attach"}) {
    EXPECT_EQ(PhaseOf({"vm1", operation, "begin", "-"}), Phase::kOther) << operation;
  }
  EXPECT_EQ(PhaseOf({}), Phase::kOther);
}

TEST(HookCall, FindsTheUuidOfTheMachine) {
  EXPECT_EQ(UuidOf("<domain><name>&lt;uuid&gt;x</name>\n<uuid>11111111-2222-3333-4444-55555555aaaa"
                   "</uuid><uuid>y</uuid>"),
            "11111111-2222-3333-4444-55555555aaaa");
}

TEST(HookCall, FindsTheNumberOfARunningMachine) {
  EXPECT_EQ(IdOf("<domain type='qemu' id='17' xmlns:qemu='x'>\n <name>a</name>"), "17");
  for (const char* text : {"", "<domain type='qemu'>\n<title id='5'/>", "<domain id='-1'>",
                           "<domain id='7}{'>", "<domain id=''>"}) {
    EXPECT_EQ(IdOf(text), "") << text;
  }
}

TEST(HookCall, TakesNothingElseForAUuid) {
  for (const char* text : {"", "<uuid>", "<uuid></uuid>", "<uuid>../../etc</uuid>",
                           "<uuid>11111111-2222-3333-4444-55555555aaa/</uuid>"}) {
    EXPECT_EQ(UuidOf(text), "") << text;
  }
}

}  // namespace
}  // namespace openhook::libvirt
