// SPDX-License-Identifier: LGPL-2.1-or-later
//
// QEMU's answers and events end jobs. What a QEMU that lies can reach is tested here too.

#include "broker/relay/tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/base/limits.h"
#include "broker/relay/command_line.h"

namespace openhook::relay {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class TrackerTest : public testing::Test {
 protected:
  TrackerTest() {
    std::vector<std::string> arguments{"qemu"};
    for (const char* name : {"base", "top", "new"}) {
      const std::string backing = std::string(name) == "top" ? ",backing=base" : "";
      arguments.insert(arguments.end(),
                       {"-blockdev", std::string("driver=qcow2,node-name=") + name +
                                         ",file.driver=file,file.filename=/i/" + name + backing});
    }
    arguments.insert(arguments.end(), {"-device", "virtio-blk-pci,id=vda,drive=top"});
    state_ = StateAtStart(arguments, "/");
    state_.next_job = 1;
  }

  void Forward(const std::string& command, const Json& arguments) {
    const Plan plan = PlanCommand(command, arguments, state_, chains_, &state_.next_job);
    ASSERT_EQ(plan.refusal, "");
    tracker_.Forwarded(plan);
  }
  void Commit() { Forward("block-commit", {{"job-id", "j"}, {"device", "top"}}); }
  void Status(const std::string& status, Source source = Source::kManager,
              const std::string& id = "j") {
    tracker_.OnEvent(source,
                     {{"event", "JOB_STATUS_CHANGE"}, {"data", {{"id", id}, {"status", status}}}});
  }
  void Statuses(std::initializer_list<const char*> all, Source source = Source::kManager) {
    for (const char* status : all) {
      Status(status, source);
    }
  }
  std::vector<std::string> Owed() const {
    std::vector<std::string> words;
    for (const JobEnd& end : state_.due_ends) {
      static const char* const kWords[] = {"?", "running", "completed", "pivoted", "aborted"};
      words.push_back(end.id + " " + kWords[end.outcome]);
    }
    return words;
  }

  State state_;
  std::vector<DiskChain> chains_{{"vda", "domain", true, {"/i/top", "/i/base"}}};
  Tracker tracker_{&state_};
};

TEST_F(TrackerTest, ACommandWithoutAJobEndsWithItsAnswer) {
  Forward("pmemsave", {{"filename", "/i/m"}});
  EXPECT_THAT(Owed(), IsEmpty());
  tracker_.Answered(Tracker::Answer::kDone);
  EXPECT_THAT(Owed(), ElementsAre("qmp-1-save completed"));
}

TEST_F(TrackerTest, AnErrorAborts) {
  Forward("blockdev-snapshot", {{"node", "top"}, {"overlay", "new"}});
  tracker_.Answered(Tracker::Answer::kError);
  EXPECT_THAT(Owed(), ElementsAre("qmp-1-top aborted"));
  EXPECT_EQ(state_.roots.at("qdev:vda"), "top");
}

TEST_F(TrackerTest, ASnapshotMovesTheDisk) {
  Forward("blockdev-snapshot", {{"node", "top"}, {"overlay", "new"}});
  tracker_.Answered(Tracker::Answer::kDone);
  EXPECT_EQ(state_.roots.at("qdev:vda"), "new");
  EXPECT_THAT(state_.graph.ChainOf("new"), ElementsAre("new", "top", "base"));
}

TEST_F(TrackerTest, AnActiveCommitPivotsWhenTheManagerCompletesIt) {
  Commit();
  tracker_.Answered(Tracker::Answer::kDone);
  Statuses({"created", "running", "ready"});
  Forward("job-complete", {{"id", "j"}});
  tracker_.Answered(Tracker::Answer::kDone);
  Statuses({"waiting", "pending", "concluded", "null"});
  EXPECT_THAT(Owed(), ElementsAre("qmp-1-j pivoted"));
  EXPECT_EQ(state_.roots.at("qdev:vda"), "base");
}

TEST_F(TrackerTest, AnActiveCommitThatIsCancelledWhenReadyChangesNothing) {
  Commit();
  tracker_.Answered(Tracker::Answer::kDone);
  Statuses({"created", "running", "ready", "waiting", "pending", "concluded", "null"});
  EXPECT_THAT(Owed(), ElementsAre("qmp-1-j aborted"));
  EXPECT_EQ(state_.roots.at("qdev:vda"), "top");
}

TEST_F(TrackerTest, AJobThatFailsIsAborted) {
  Forward("block-stream", {{"job-id", "j"}, {"device", "top"}});
  tracker_.Answered(Tracker::Answer::kDone);
  Statuses({"created", "running", "aborting", "concluded"});
  EXPECT_THAT(Owed(), ElementsAre("qmp-1-j aborted"));
}

TEST_F(TrackerTest, AJobMayBeOverBeforeItsCommandIsAnswered) {
  Forward("block-stream", {{"job-id", "j"}, {"device", "top"}});
  Statuses({"created", "running", "concluded", "null"});
  tracker_.Answered(Tracker::Answer::kDone);
  Statuses({"created", "running", "concluded", "null"});
  EXPECT_THAT(Owed(), ElementsAre("qmp-1-j completed"));
}

TEST_F(TrackerTest, TheEndOfAJobThatWasNotSeenToBeginSaysNothing) {
  Commit();
  tracker_.Answered(Tracker::Answer::kDone);
  Statuses({"concluded", "null"}, Source::kWatch);
  EXPECT_THAT(Owed(), IsEmpty());
}

TEST_F(TrackerTest, InventedEventsBeginNothing) {
  const std::string before = state_.Serialize();
  Status("created", Source::kManager, "invented");
  Status("concluded", Source::kManager, "invented");
  tracker_.OnEvent(Source::kManager, {{"event", "BLOCK_JOB_COMPLETED"},
                                      {"data", {{"device", "invented"}, {"type", "commit"}}}});
  tracker_.OnEvent(Source::kManager, {{"event", "MIGRATION"}, {"data", {{"status", "completed"}}}});
  tracker_.OnEvent(Source::kManager, {{"event", 3}, {"data", "x"}});
  tracker_.OnMigration("completed");
  tracker_.Answered(Tracker::Answer::kDone);
  EXPECT_EQ(state_.Serialize(), before);
}

TEST_F(TrackerTest, AMigrationTakesAndContGivesBack) {
  Forward("migrate", {{"uri", "unix:/s"}});
  tracker_.OnMigration("completed");
  EXPECT_THAT(Owed(), IsEmpty()) << "that was about the migration before";
  tracker_.Answered(Tracker::Answer::kDone);
  EXPECT_TRUE(tracker_.WaitsForMigration());
  tracker_.OnMigration("active");
  tracker_.OnMigration("completed");
  EXPECT_TRUE(state_.left);
  Forward("cont", Json::object());
  tracker_.Answered(Tracker::Answer::kDone);
  EXPECT_FALSE(state_.left);
  EXPECT_THAT(Owed(), ElementsAre("qmp-1-migrate completed", "qmp-2-cont completed"));
}

TEST_F(TrackerTest, NodesHoldTheirFileAsLongAsTheyLive) {
  Forward("blockdev-add", {{"driver", "file"}, {"node-name", "x"}, {"filename", "/i/x"}});
  tracker_.Answered(Tracker::Answer::kDone);
  EXPECT_THAT(Owed(), IsEmpty());
  Forward("blockdev-del", {{"node-name", "x"}});
  tracker_.Answered(Tracker::Answer::kError);
  EXPECT_EQ(state_.graph.FileOf("x"), "/i/x");
  Forward("blockdev-del", {{"node-name", "x"}});
  tracker_.Answered(Tracker::Answer::kDone);
  EXPECT_THAT(Owed(), ElementsAre("qmp-1-x completed"));
  EXPECT_EQ(state_.graph.FileOf("x"), "");
}

TEST_F(TrackerTest, TheNumberOfNodesIsLimited) {
  Nodes nodes;
  for (std::size_t i = 0; i < limits::kMaxMonitorNodes; ++i) {
    nodes["n" + std::to_string(i)] = {};
  }
  state_.graph.Insert(nodes);
  const Json arguments = {{"driver", "file"}, {"node-name", "x"}, {"filename", "/i/x"}};
  const Plan plan = PlanCommand("blockdev-add", arguments, state_, chains_, &state_.next_job);
  EXPECT_THAT(plan.refusal, testing::HasSubstr("4096 block nodes"));
}

TEST_F(TrackerTest, AnAttachedDiskEndsWithItsNode) {
  Forward("blockdev-add", {{"driver", "file"}, {"node-name", "x"}, {"filename", "/i/x"}});
  tracker_.Answered(Tracker::Answer::kDone);
  Forward("device_add", {{"driver", "scsi-hd"}, {"id", "sdb"}, {"drive", "x"}});
  tracker_.Answered(Tracker::Answer::kDone);
  EXPECT_THAT(Owed(), ElementsAre("qmp-2-sdb completed", "qmp-1-x completed"));
  Forward("blockdev-del", {{"node-name", "x"}});
  tracker_.Answered(Tracker::Answer::kDone);
  EXPECT_THAT(state_.due_revokes, ElementsAre("device:sdb"));
}

TEST_F(TrackerTest, ALostAnswerIsFoundOut) {
  for (const bool held : {true, false}) {
    state_.due_ends.clear();
    Forward("blockdev-snapshot", {{"node", "top"}, {"overlay", "new"}});
    tracker_.Reconcile({}, [&](const std::string& file, Sign sign) {
      EXPECT_EQ(file, "/i/new");
      EXPECT_EQ(sign, Sign::kHeld);
      return held;
    });
    ASSERT_EQ(Owed().size(), 1U);
    EXPECT_THAT(Owed()[0], testing::EndsWith(held ? "completed" : "aborted"));
    EXPECT_TRUE(state_.pending.empty());
    state_.roots["qdev:vda"] = "top";
  }
}

TEST_F(TrackerTest, AJobThatIsListedGoesOn) {
  Commit();
  tracker_.Reconcile({{"j", {false, false}}}, [](const std::string&, Sign) { return false; });
  EXPECT_THAT(Owed(), IsEmpty());
  Status("aborting", Source::kWatch);
  Status("concluded", Source::kWatch);
  EXPECT_THAT(Owed(), ElementsAre("qmp-1-j aborted"));
}

TEST_F(TrackerTest, AJobThatEndedUnseenEndsAsTheKernelSays) {
  for (const bool gone : {true, false}) {
    state_.due_ends.clear();
    state_.roots["qdev:vda"] = "top";
    Commit();
    tracker_.Answered(Tracker::Answer::kDone);
    Forward("job-complete", {{"id", "j"}});
    tracker_.Answered(Tracker::Answer::kDone);
    tracker_.Reconcile({}, [&](const std::string& file, Sign sign) {
      EXPECT_EQ(file, "/i/top");
      EXPECT_EQ(sign, Sign::kNotHeld);
      return gone;
    });
    ASSERT_EQ(Owed().size(), 1U);
    EXPECT_THAT(Owed()[0], testing::EndsWith(gone ? "pivoted" : "aborted"));
  }
}

TEST_F(TrackerTest, TheEndOfQemuEndsEverything) {
  Commit();
  tracker_.Answered(Tracker::Answer::kDone);
  Forward("blockdev-add", {{"driver", "file"}, {"node-name", "x"}, {"filename", "/i/x"}});
  tracker_.Answered(Tracker::Answer::kDone);
  tracker_.QemuEnded();
  EXPECT_THAT(Owed(), ElementsAre("qmp-1-j aborted", "qmp-2-x completed"));
}

}  // namespace
}  // namespace openhook::relay
