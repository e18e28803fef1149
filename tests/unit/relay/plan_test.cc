// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A row for each command: what a manager says, and what the broker is asked before QEMU sees it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/relay/command_line.h"
#include "broker/relay/planner.h"

namespace openhook::relay {
namespace {

using testing::HasSubstr;

constexpr const char* kBlockdevs[] = {
    R"({"driver":"file","node-name":"base-file","filename":"/i/base","auto-read-only":true})",
    R"({"driver":"qcow2","node-name":"base","file":"base-file","read-only":true,"backing":null})",
    R"({"driver":"file","node-name":"mid-file","filename":"/i/mid","auto-read-only":true})",
    R"({"driver":"qcow2","node-name":"mid","file":"mid-file","read-only":true,"backing":"base"})",
    R"({"driver":"file","node-name":"top-file","filename":"/i/top","auto-read-only":true})",
    R"({"driver":"qcow2","node-name":"top","file":"top-file","backing":"mid"})",
    R"({"driver":"file","node-name":"new-file","filename":"/i/new","auto-read-only":true})",
    R"({"driver":"qcow2","node-name":"new","file":"new-file","backing":null})"};

State Machine() {
  std::vector<std::string> arguments{"qemu-system-x86_64"};
  for (const char* blockdev : kBlockdevs) {
    arguments.insert(arguments.end(), {"-blockdev", blockdev});
  }
  arguments.insert(arguments.end(), {"-device", "virtio-blk-pci,id=vda,drive=top"});
  arguments.insert(arguments.end(), {"-drive", "file=cd.iso,id=cd,format=raw,if=none,readonly=on"});
  arguments.insert(arguments.end(), {"-device", "ide-cd,id=cd0,drive=cd"});
  State state = StateAtStart(arguments, "/home");
  state.next_job = 1;
  return state;
}

const std::vector<DiskChain>& Recorded() {
  static const std::vector<DiskChain> chains{
      {"vda", "domain", true, {"/i/top", "/i/mid", "/i/base"}}};
  return chains;
}

const char* Word(proto::GrantAccess access) {
  switch (access) {
    case proto::GRANT_ACCESS_READ:
      return "r";
    case proto::GRANT_ACCESS_READ_WRITE:
      return "rw";
    default:
      return "create";
  }
}

// "kind disk=.. top=.. base=.. +target:access", one job after the other.
std::string Describe(const Plan& plan) {
  static const char* const kKinds[] = {"?",      "commit",   "stream",     "mirror",
                                       "backup", "snapshot", "reopen",     "change",
                                       "attach", "save",     "migrate-in", "migrate-out"};
  std::string text;
  for (const auto& job : plan.begins) {
    text += text.empty() ? "" : "; ";
    text += kKinds[job.kind()];
    for (const auto& [key, value] : {std::pair("disk", job.disk()), std::pair("top", job.top()),
                                     std::pair("base", job.base())}) {
      text += value.empty() ? "" : std::string(" ") + key + "=" + value;
    }
    text += job.write() ? " write" : "";
    text += job.shallow() ? " shallow" : "";
    for (const auto& target : job.targets()) {
      text += " +" + target.path() + ":" + Word(target.access());
    }
  }
  return text;
}

Plan PlanOf(const std::string& command, const std::string& arguments, State state = Machine()) {
  return PlanCommand(command, Json::parse(arguments), state, Recorded(), &state.next_job);
}

struct Row {
  const char* command;
  const char* arguments;
  const char* begins;
};

class Commands : public testing::TestWithParam<Row> {};

TEST_P(Commands, AskForWhatTheyNeed) {
  const Plan plan = PlanOf(GetParam().command, GetParam().arguments);
  EXPECT_EQ(plan.refusal, "");
  EXPECT_EQ(Describe(plan), GetParam().begins) << GetParam().command << GetParam().arguments;
}

INSTANTIATE_TEST_SUITE_P(
    Table, Commands,
    testing::Values(
        // Nodes
        Row{"blockdev-add", R"({"driver":"file","node-name":"x","filename":"/i/x"})",
            "backup +/i/x:rw"},
        Row{"blockdev-add",
            R"({"driver":"file","node-name":"x","filename":"x","auto-read-only":true})",
            "backup +/home/x:r"},
        Row{"blockdev-add",
            R"({"driver":"file","node-name":"x","filename":"/i/x","read-only":true})",
            "backup +/i/x:r"},
        Row{"blockdev-add",
            R"({"driver":"file","node-name":"again","filename":"/i/mid","read-only":true})", ""},
        Row{"blockdev-add", R"({"driver":"qcow2","node-name":"y","file":"new-file"})",
            "backup +/i/new:rw"},
        Row{"blockdev-add",
            R"({"driver":"qcow2","node-name":"y","file":{"driver":"file","filename":"/i/y"}})",
            "backup +/i/y:rw"},
        Row{"blockdev-add", R"({"driver":"file","node-name":"x","filename":"/dev/fdset/3"})", ""},
        Row{"blockdev-add",
            R"({"driver":"nbd","node-name":"x","server":{"type":"unix","path":"/s"}})", ""},
        Row{"blockdev-del", R"({"node-name":"new"})", ""},
        Row{"blockdev-reopen",
            R"({"options":[{"driver":"qcow2","node-name":"top","file":"top-file","read-only":true}]})",
            "reopen disk=/i/top top=/i/top"},
        Row{"blockdev-reopen",
            R"({"options":[{"driver":"qcow2","node-name":"new","file":"new-file","read-only":false}]})",
            "backup +/i/new:rw"},
        // Devices
        Row{"device_add", R"({"driver":"scsi-hd","id":"sdb","drive":"new"})",
            "attach disk=sdb write +/i/new:rw"},
        Row{"device_add", R"({"driver":"scsi-hd","id":"again","drive":"top"})", ""},
        Row{"blockdev-change-medium", R"({"id":"cd0","filename":"/i/b.iso"})",
            "attach disk=cd0 +/i/b.iso:r"},
        Row{"blockdev-change-medium", R"({"device":"cd","filename":"nbd://host/x"})", ""},
        // Jobs within the chain
        Row{"block-commit", R"({"job-id":"j","device":"top"})", "commit disk=/i/top base=/i/base"},
        Row{"block-commit", R"({"job-id":"j","device":"top","base-node":"mid"})",
            "commit disk=/i/top base=/i/mid"},
        Row{"block-commit", R"({"job-id":"j","device":"top","top-node":"mid","base-node":"base"})",
            "commit disk=/i/top top=/i/mid base=/i/base"},
        Row{"block-commit", R"({"job-id":"j","device":"top","top":"/i/mid","base":"/i/base"})",
            "commit disk=/i/top top=/i/mid base=/i/base"},
        Row{"block-stream", R"({"job-id":"j","device":"top"})", "stream disk=/i/top top=/i/top"},
        Row{"block-stream", R"({"job-id":"j","device":"top","base-node":"base"})",
            "stream disk=/i/top top=/i/top base=/i/base"},
        Row{"block-stream", R"({"job-id":"j","device":"top","bottom":"mid"})",
            "stream disk=/i/top top=/i/top base=/i/base"},
        // Copies
        Row{"blockdev-snapshot", R"({"node":"top","overlay":"new"})",
            "snapshot disk=/i/top +/i/new:rw"},
        Row{"blockdev-snapshot-sync", R"({"node-name":"top","snapshot-file":"/i/o"})",
            "snapshot disk=/i/top +/i/o:create"},
        Row{"blockdev-snapshot-sync",
            R"({"node-name":"top","snapshot-file":"file:/i/o","mode":"existing"})",
            "snapshot disk=/i/top +/i/o:rw"},
        Row{"drive-mirror", R"({"job-id":"j","device":"top","target":"/i/m","sync":"top"})",
            "mirror disk=/i/top shallow +/i/m:create"},
        Row{"blockdev-mirror", R"({"job-id":"j","device":"top","target":"new","sync":"full"})",
            "mirror disk=/i/top +/i/new:rw"},
        Row{"drive-backup", R"({"job-id":"j","device":"top","target":"/i/b","mode":"existing"})",
            "backup disk=vda +/i/b:rw"},
        Row{"blockdev-backup", R"({"job-id":"j","device":"top","target":"new","sync":"full"})",
            "backup disk=vda +/i/new:rw"},
        Row{"transaction",
            R"({"actions":[{"type":"blockdev-snapshot-sync","data":{"node-name":"top","snapshot-file":"/i/o"}},
                {"type":"block-dirty-bitmap-add","data":{"node":"top","name":"b"}},
                {"type":"drive-backup","data":{"job-id":"j","device":"new","target":"/i/b"}}]})",
            "snapshot disk=/i/top +/i/o:create; backup +/i/b:create"},
        Row{"blockdev-create",
            R"({"job-id":"j","options":{"driver":"file","filename":"/i/c","size":0}})",
            "save +/i/c:create"},
        Row{"blockdev-create",
            R"({"job-id":"j","options":{"driver":"qcow2","file":"new-file","size":1}})",
            "save +/i/new:rw"},
        // Other files
        Row{"pmemsave", R"({"val":0,"size":1,"filename":"m"})", "save +/home/m:create"},
        Row{"screendump", R"({"filename":"/i/s"})", "save +/i/s:create"},
        Row{"dump-guest-memory", R"({"paging":false,"protocol":"file:/i/d"})", "save +/i/d:create"},
        Row{"dump-guest-memory", R"({"paging":false,"protocol":"fd:x"})", ""},
        Row{"object-add",
            R"({"qom-type":"memory-backend-file","id":"m","mem-path":"/i/m","size":1})",
            "backup +/i/m:create"},
        Row{"object-add", R"({"qom-type":"memory-backend-memfd","id":"m","size":1})", ""},
        Row{"chardev-add",
            R"({"id":"c","backend":{"type":"file","data":{"out":"/i/l","in":"/i/k"}}})",
            "backup +/i/l:create; backup +/i/k:r"},
        Row{"chardev-add", R"({"id":"c","backend":{"type":"pipe","data":{"device":"/i/p"}}})",
            "backup +/i/p.in:rw; backup +/i/p.out:rw"},
        Row{"chardev-add", R"({"id":"c","backend":{"type":"socket","data":{"addr":{}}}})", ""},
        Row{"migrate", R"({"uri":"unix:/s"})", "migrate-out"},
        Row{"migrate", R"({"uri":"file:/i/state,offset=4"})", "migrate-out; save +/i/state:create"},
        Row{"migrate-incoming", R"({"uri":"file:/i/state"})", "migrate-in; save +/i/state:r"},
        Row{"snapshot-save", R"({"job-id":"j","tag":"t","vmstate":"top","devices":["top"]})", ""},
        Row{"getfd", R"({"fdname":"x"})", ""},
        // The human monitor
        Row{"human-monitor-command", R"({"command-line":"info block"})", ""},
        Row{"human-monitor-command", R"({"command-line":"savevm t"})", ""},
        Row{"human-monitor-command", R"({"command-line":"pmemsave 0 4096 \"/i/a b\""})",
            "save +/i/a b:create"},
        Row{"human-monitor-command", R"({"command-line":"screendump -f png /i/s"})",
            "save +/i/s:create"},
        Row{"human-monitor-command", R"({"command-line":"dump-guest-memory -p /i/d"})",
            "save +/i/d:create"},
        Row{"human-monitor-command", R"({"command-line":"logfile /i/l"})", "backup +/i/l:create"}));

struct Refusal {
  const char* command;
  const char* arguments;
  const char* says;
};

class Refusals : public testing::TestWithParam<Refusal> {};

TEST_P(Refusals, SayWhy) {
  const Plan plan = PlanOf(GetParam().command, GetParam().arguments);
  EXPECT_THAT(plan.refusal, HasSubstr(GetParam().says));
  EXPECT_TRUE(plan.begins.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Table, Refusals,
    testing::Values(
        Refusal{"block-commit", R"({"job-id":"j","device":"top","base-node":"#block123"})",
                "does not know which file the block node '#block123' is"},
        Refusal{"blockdev-snapshot", R"({"node":"top","overlay":"nobody"})", "'nobody'"},
        Refusal{"blockdev-snapshot-sync", R"({"node-name":"top","snapshot-file":"json:{}"})",
                "cannot tell which file"},
        Refusal{"human-monitor-command", R"({"command-line":"drive_backup d /x"})",
                "use the QMP command drive-backup"},
        Refusal{"human-monitor-command", R"({"command-line":"commit all"})", "block-commit"},
        Refusal{"human-monitor-command", R"({"command-line":"device_add scsi-hd,drive=x"})",
                "QMP command device_add"}));

TEST(Plan, WhatIsUnknownConcernsNobody) {
  EXPECT_EQ(ConcernOf("query-block", Json(), Machine()), Concern::kNone);
  EXPECT_EQ(ConcernOf("cont", Json(), Machine()), Concern::kNone);
  EXPECT_EQ(ConcernOf("device_add", Json{{"driver", "virtio-net"}}, Machine()), Concern::kNone);
}

TEST(Plan, ContAfterAMigrationGivesTheDisksBack) {
  State state = Machine();
  state.left = true;
  EXPECT_EQ(ConcernOf("cont", Json(), state), Concern::kAsking);
  EXPECT_EQ(Describe(PlanOf("cont", "{}", state)), "migrate-in");
}

TEST(Plan, IdsOfJobsAreNeverUsedAgain) {
  State state = Machine();
  const Json arguments = {{"filename", "/i/x"}};
  const Plan one = PlanCommand("pmemsave", arguments, state, {}, &state.next_job);
  const Plan two = PlanCommand("pmemsave", arguments, state, {}, &state.next_job);
  EXPECT_EQ(one.begins.at(0).id(), "qmp-1-save");
  EXPECT_EQ(two.begins.at(0).id(), "qmp-2-save");
}

TEST(Plan, OddNamesMakeSafeIds) {
  const Plan plan =
      PlanOf("drive-backup", R"({"job-id":"a/../b c","device":"top","target":"/i/b"})");
  EXPECT_EQ(plan.begins.at(0).id(), "qmp-1-a_.._b_c");
}

}  // namespace
}  // namespace openhook::relay
