// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/relay/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace openhook::relay {
namespace {

using testing::ElementsAre;

State Read(const std::vector<std::string>& arguments) { return StateAtStart(arguments, "/cwd"); }

TEST(StateAtStart, ReadsBlockdevAsJson) {
  const State state =
      Read({"qemu", "-blockdev",
            R"({"driver":"qcow2","node-name":"a","file":{"driver":"file","filename":"x"}})"});
  EXPECT_EQ(state.graph.FileOf("a"), "/cwd/x");
}

TEST(StateAtStart, ReadsBlockdevAsOptionsWithDoubledCommas) {
  const State state = Read(
      {"qemu", "-blockdev", "driver=qcow2,node-name=a,file.driver=file,file.filename=/i/a,,b",
       "--blockdev", "driver=qcow2,node-name=b,file.driver=file,file.filename=/i/b,backing=a"});
  EXPECT_EQ(state.graph.FileOf("a"), "/i/a,b");
  EXPECT_THAT(state.graph.ChainOf("b"), ElementsAre("b", "a"));
}

TEST(StateAtStart, FindsTheDriveOfADeviceWhereverItIsWritten) {
  const State state =
      Read({"qemu", "-device", "ide-cd,id=cd0,drive=cd", "-drive", "file=/i/a.iso,id=cd,if=none"});
  EXPECT_EQ(state.graph.FileOf(state.roots.at("qdev:cd0")), "/i/a.iso");
  EXPECT_EQ(state.roots.at("drive:cd"), state.roots.at("qdev:cd0"));
}

TEST(StateAtStart, LeavesOutWhatItCannotRead) {
  const State state = Read({"qemu", "-blockdev", "{broken", "-drive", "file=nbd://h/x,id=n",
                            "-drive", "file=json:{},id=j", "-blockdev"});
  EXPECT_EQ(state.graph.FileOf("drive/n"), "");
  EXPECT_EQ(state.graph.FileOf("drive/j"), "");
}

TEST(Graph, ALoopOfNodesEnds) {
  const State state = Read({"qemu", "-blockdev", "driver=raw,node-name=a,file=b,backing=b",
                            "-blockdev", "driver=raw,node-name=b,file=a,backing=a"});
  EXPECT_EQ(state.graph.FileOf("a"), "");
  EXPECT_LE(state.graph.ChainOf("a").size(), 200U);
}

}  // namespace
}  // namespace openhook::relay
