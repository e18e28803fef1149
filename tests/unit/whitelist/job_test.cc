// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Each kind of job on one disk: what it gives while it runs, and what the whitelist and the chain
// are after each way in which it may end.

#include <gtest/gtest.h>

#include "broker/base/limits.h"
#include "broker/whitelist/job_plan.h"
#include "tests/unit/whitelist/sample_grants.h"

namespace openhook::whitelist {
namespace {

// vda: /top -> /upper -> /lower -> /base, of which the VM writes /top.
class JobTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(Give(&list_, {Member("/top", 1, 0, GrantAccess::kReadWrite), Member("/upper", 2, 1),
                              Member("/lower", 3, 2), Member("/base", 4, 3)}));
    Change change;
    change.generation = list_.generation() + 1;
    change.chains = {
        {"vda", "domain", true, {Image("/top"), Image("/upper"), Image("/lower"), Image("/base")}}};
    list_.Apply(change);
  }

  Result<Job> Begin(JobRequest request, std::vector<Grant> targets = {}) {
    if (request.disk.empty() && request.kind != JobKind::kSave &&
        request.kind != JobKind::kMigrateIn && request.kind != JobKind::kMigrateOut) {
      request.disk = "vda";
    }
    auto plan = PlanJobBegin(list_, std::move(request), std::move(targets), 100);
    if (!plan) {
      return tl::make_unexpected(plan.error());
    }
    Carry(*plan);
    return plan->job;
  }

  Result<Job> End(const std::string& id, JobState outcome) {
    auto plan = PlanJobEnd(list_, id, outcome, 200);
    if (!plan) {
      return tl::make_unexpected(plan.error());
    }
    Carry(*plan);
    return plan->job;
  }

  void Carry(const JobPlan& plan) {
    if (!plan.change.IsEmpty()) {
      list_.Apply(plan.change);
    }
  }

  // "rw", "r" or "-" for each path, in order.
  std::string Access(const std::vector<std::string>& paths) const {
    std::string text;
    for (const std::string& path : paths) {
      const Entry* entry = list_.Find(path).entry;
      text += entry == nullptr ? " -" : entry->writable ? " rw" : " r";
    }
    return text.substr(1);
  }
  std::string ChainAccess() const { return Access({"/top", "/upper", "/lower", "/base"}); }

  std::string ChainOf(const std::string& disk) const {
    std::string text;
    for (const ChainImage& image : list_.chains().at(disk).images) {
      text += image.path.str();
    }
    return text;
  }

  Whitelist list_;
};

Grant Target(const std::string& path, std::uint64_t ino = 50) {
  return Member(path, ino, 0, GrantAccess::kReadWrite, "");
}

Grant NewTarget(const std::string& path) {
  Grant grant = NewName(path);
  grant.role = "image";
  grant.format = "qcow2";
  return grant;
}

TEST_F(JobTest, ACommitWritesToItsBaseAndTheImageAboveItsTop) {
  const auto job = Begin({.kind = JobKind::kCommit, .top = At("/lower"), .base = At("/base")});
  ASSERT_TRUE(job) << job.error().Message();
  EXPECT_EQ(job->request.id, "commit-1");
  EXPECT_EQ(ChainAccess(), "rw rw r rw");
  ASSERT_TRUE(End("commit-1", JobState::kCompleted));
  EXPECT_EQ(ChainAccess(), "rw r - r");
  EXPECT_EQ(ChainOf("vda"), "/top/upper/base");
  EXPECT_EQ(list_.GrantsOf(At("/base")).front()->depth, 2U);
}

TEST_F(JobTest, AnAbortedCommitLeavesTheChainAsItWas) {
  ASSERT_TRUE(Begin({.kind = JobKind::kCommit, .top = At("/upper"), .base = At("/base")}));
  ASSERT_TRUE(End("commit-1", JobState::kAborted));
  EXPECT_EQ(ChainAccess(), "rw r r r");
  EXPECT_EQ(ChainOf("vda"), "/top/upper/lower/base");
}

TEST_F(JobTest, AnActiveCommitMakesItsBaseTheActiveImage) {
  ASSERT_TRUE(Begin({.kind = JobKind::kCommit, .base = At("/lower")}));
  EXPECT_EQ(ChainAccess(), "rw r rw r");
  ASSERT_TRUE(End("commit-1", JobState::kPivoted));
  EXPECT_EQ(ChainAccess(), "- - rw r");
  EXPECT_EQ(ChainOf("vda"), "/lower/base");
}

TEST_F(JobTest, AStreamTakesWhatLiesBetweenOutOfTheChain) {
  ASSERT_TRUE(Begin({.kind = JobKind::kStream, .top = At("/upper"), .base = At("/base")}));
  EXPECT_EQ(ChainAccess(), "rw rw r r");
  ASSERT_TRUE(End("stream-1", JobState::kCompleted));
  EXPECT_EQ(ChainAccess(), "rw r - r");
  ASSERT_TRUE(Begin({.kind = JobKind::kStream}));
  ASSERT_TRUE(End("stream-2", JobState::kCompleted));
  EXPECT_EQ(ChainOf("vda"), "/top");
  EXPECT_EQ(ChainAccess(), "rw - - -");
}

TEST_F(JobTest, JobsOnDisjointPartsOfOneChainDoNotTouchEachOther) {
  ASSERT_TRUE(Begin({.kind = JobKind::kCommit, .top = At("/lower"), .base = At("/base")}));
  ASSERT_TRUE(Begin({.kind = JobKind::kStream, .base = At("/lower")}));
  EXPECT_EQ(ChainAccess(), "rw rw r rw");
  ASSERT_TRUE(End("stream-1", JobState::kCompleted));
  EXPECT_EQ(ChainOf("vda"), "/top/lower/base");
  EXPECT_EQ(Access({"/base"}), "rw") << "the commit's";
  ASSERT_TRUE(End("commit-1", JobState::kCompleted));
  EXPECT_EQ(ChainOf("vda"), "/top/base");
  EXPECT_EQ(ChainAccess(), "rw - - r");
}

TEST_F(JobTest, TwoJobsThatWriteToOneImageEndApart) {
  ASSERT_TRUE(Begin({.kind = JobKind::kCommit, .top = At("/upper"), .base = At("/lower")}));
  ASSERT_TRUE(Begin({.kind = JobKind::kReopen, .top = At("/lower"), .write = true}));
  ASSERT_TRUE(End("commit-1", JobState::kAborted));
  EXPECT_EQ(Access({"/lower"}), "rw") << "the reopening's";
  ASSERT_TRUE(End("reopen-1", JobState::kCompleted));
  EXPECT_EQ(Access({"/lower"}), "r");
}

TEST_F(JobTest, ASnapshotThatQemuMadeIsTheActiveImageAfterwards) {
  ASSERT_TRUE(Begin({.kind = JobKind::kSnapshot}, {NewTarget("/new")}));
  list_.Apply(list_.PlanCreated(Made("/new", 9, "job:snapshot-1")));
  EXPECT_EQ(Access({"/new"}), "rw");
  ASSERT_TRUE(End("snapshot-1", JobState::kCompleted));
  EXPECT_EQ(ChainOf("vda"), "/new/top/upper/lower/base");
  EXPECT_EQ(Access({"/new", "/top"}), "rw r");
  const Entry* entry = list_.Find("/new").entry;
  EXPECT_FALSE(entry->creatable || entry->created_by_vm) << "it is a disk now, not a VM's own file";
  EXPECT_EQ(entry->identity->ino, 9U);
}

TEST_F(JobTest, ASnapshotWhoseFileWasNeverMadeCannotHaveSucceeded) {
  ASSERT_TRUE(Begin({.kind = JobKind::kSnapshot}, {NewTarget("/new")}));
  const auto ended = End("snapshot-1", JobState::kCompleted);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, ErrorCode::kConflict);
  EXPECT_NE(ended.error().context.find("--aborted"), std::string::npos);
  ASSERT_TRUE(End("snapshot-1", JobState::kAborted));
  EXPECT_EQ(Access({"/new", "/top"}), "- rw");
}

TEST_F(JobTest, AMirrorTakesTheDisksPlaceOnlyWhenItPivots) {
  ASSERT_TRUE(Begin({.kind = JobKind::kMirror}, {Target("/copy")}));
  EXPECT_EQ(Access({"/copy"}), "rw");
  ASSERT_TRUE(End("mirror-1", JobState::kCompleted));
  EXPECT_EQ(Access({"/copy", "/top"}), "- rw");
  ASSERT_TRUE(Begin({.kind = JobKind::kMirror}, {Target("/copy")}));
  ASSERT_TRUE(End("mirror-2", JobState::kPivoted));
  EXPECT_EQ(ChainOf("vda"), "/copy");
  EXPECT_EQ(Access({"/copy"}) + " " + ChainAccess(), "rw - - - -");
}

TEST_F(JobTest, AShallowMirrorKeepsTheBackingFiles) {
  ASSERT_TRUE(Begin({.kind = JobKind::kMirror, .shallow = true}, {Target("/copy")}));
  ASSERT_TRUE(End("mirror-1", JobState::kPivoted));
  EXPECT_EQ(ChainOf("vda"), "/copy/upper/lower/base");
  EXPECT_EQ(Access({"/copy"}) + " " + ChainAccess(), "rw - r r r");
}

TEST_F(JobTest, ABackupAndASavedStateLeaveNothingBehind) {
  ASSERT_TRUE(Begin({.kind = JobKind::kBackup}, {Target("/backup")}));
  ASSERT_TRUE(Begin({.kind = JobKind::kSave}, {Target("/state", 51)}));
  EXPECT_EQ(Access({"/backup", "/state"}), "rw rw");
  ASSERT_TRUE(End("backup-1", JobState::kCompleted));
  ASSERT_TRUE(End("save-1", JobState::kCompleted));
  EXPECT_EQ(Access({"/backup", "/state"}) + " " + ChainAccess(), "- - rw r r r");
}

TEST_F(JobTest, AReopenedDiskKeepsItsNewAccess) {
  ASSERT_TRUE(Begin({.kind = JobKind::kReopen}));
  EXPECT_EQ(Access({"/top"}), "rw") << "until it has succeeded";
  ASSERT_TRUE(End("reopen-1", JobState::kCompleted));
  EXPECT_EQ(Access({"/top"}), "r");
  ASSERT_TRUE(Begin({.kind = JobKind::kReopen, .write = true}));
  ASSERT_TRUE(End("reopen-2", JobState::kCompleted));
  EXPECT_EQ(Access({"/top"}), "rw");
}

TEST_F(JobTest, AMediumIsChangedAndEjected) {
  ASSERT_TRUE(Begin({.kind = JobKind::kAttach, .disk = "cd0"}, {Target("/a.iso", 60)}));
  ASSERT_TRUE(End("attach-1", JobState::kCompleted));
  EXPECT_EQ(Access({"/a.iso"}), "r");
  EXPECT_EQ(list_.chains().at("cd0").lease, "device:cd0");
  Grant second = Target("/b.iso", 61);
  second.access = GrantAccess::kRead;
  ASSERT_TRUE(Begin({.kind = JobKind::kChange, .disk = "cd0"}, {second}));
  EXPECT_EQ(Access({"/a.iso", "/b.iso"}), "r r");
  ASSERT_TRUE(End("change-1", JobState::kCompleted));
  EXPECT_EQ(Access({"/a.iso", "/b.iso"}), "- r");
  ASSERT_TRUE(Begin({.kind = JobKind::kChange, .disk = "cd0"}));
  ASSERT_TRUE(End("change-2", JobState::kCompleted));
  EXPECT_EQ(Access({"/a.iso", "/b.iso"}), "- -");
  EXPECT_TRUE(list_.chains().at("cd0").images.empty());
  ASSERT_TRUE(Begin({.kind = JobKind::kChange, .disk = "cd0"}, {second}));
  ASSERT_TRUE(End("change-3", JobState::kCompleted));
  EXPECT_EQ(Access({"/b.iso"}), "r");
}

TEST_F(JobTest, AnAttachedChainBelongsToItsOwnLease) {
  std::vector<Grant> chain = {Member("/x", 70, 0, GrantAccess::kReadWrite, ""),
                              Member("/base", 4, 1, GrantAccess::kRead, "")};
  ASSERT_TRUE(Begin({.kind = JobKind::kAttach, .disk = "vdb", .write = true}, chain));
  ASSERT_TRUE(End("attach-1", JobState::kCompleted));
  EXPECT_EQ(ChainOf("vdb"), "/x/base");
  ASSERT_TRUE(Take(&list_, "device:vdb"));
  EXPECT_EQ(Access({"/x", "/base"}), "- r") << "the other disk stands on it too";
  EXPECT_FALSE(list_.chains().contains("vdb"));
}

TEST_F(JobTest, MigrationTakesWritingAwayHereAndGivesItThere) {
  ASSERT_TRUE(Begin({.kind = JobKind::kMigrateOut}));
  EXPECT_EQ(ChainAccess(), "rw r r r");
  ASSERT_TRUE(End("migrate-out-1", JobState::kCompleted));
  EXPECT_EQ(ChainAccess(), "r r r r");
  ASSERT_TRUE(Begin({.kind = JobKind::kMigrateIn}));
  EXPECT_EQ(ChainAccess(), "rw r r r");
  ASSERT_TRUE(End("migrate-in-1", JobState::kCompleted));
  EXPECT_EQ(ChainAccess(), "rw r r r");
  EXPECT_TRUE(list_.GrantsOfLease("job:migrate-in-1").empty());
}

TEST_F(JobTest, DataFilesComeAndGoWithTheirImages) {
  Grant data = Member("/copy.raw", 81, 0, GrantAccess::kReadWrite, "");
  data.role = "data-file";
  ASSERT_TRUE(Begin({.kind = JobKind::kMirror}, {Target("/copy", 80), data}));
  ASSERT_TRUE(End("mirror-1", JobState::kPivoted));
  EXPECT_EQ(Access({"/copy", "/copy.raw"}), "rw rw");
  EXPECT_EQ(list_.chains().at("vda").images.front().parts, std::vector{At("/copy.raw")});
  ASSERT_TRUE(Begin({.kind = JobKind::kSnapshot}, {Target("/new", 82)}));
  ASSERT_TRUE(End("snapshot-1", JobState::kCompleted));
  EXPECT_EQ(Access({"/new", "/copy", "/copy.raw"}), "rw r r");
  ASSERT_TRUE(Begin({.kind = JobKind::kCommit, .base = At("/copy")}));
  EXPECT_EQ(Access({"/new", "/copy", "/copy.raw"}), "rw rw rw");
}

TEST_F(JobTest, TwoDisksOfOneLeaseMayStandOnOneImage) {
  ASSERT_TRUE(Begin({.kind = JobKind::kAttach, .disk = "vdb", .lease = "domain", .write = true},
                    {Member("/x", 70, 0, GrantAccess::kReadWrite, ""),
                     Member("/base", 4, 1, GrantAccess::kRead, "")}));
  ASSERT_TRUE(End("attach-1", JobState::kCompleted));
  ASSERT_TRUE(Begin({.kind = JobKind::kStream, .disk = "vdb"}));
  ASSERT_TRUE(End("stream-1", JobState::kCompleted));
  EXPECT_EQ(Access({"/x", "/base"}), "rw r") << "vda needs it";
}

TEST_F(JobTest, RepeatedRequestsChangeNothing) {
  const JobRequest request{.id = "c", .kind = JobKind::kCommit, .base = At("/base")};
  ASSERT_TRUE(Begin(request));
  const auto generation = list_.generation();
  ASSERT_TRUE(Begin(request));
  EXPECT_EQ(list_.generation(), generation);
  ASSERT_TRUE(End("c", JobState::kPivoted));
  ASSERT_TRUE(End("c", JobState::kPivoted));
  EXPECT_EQ(End("c", JobState::kAborted).error().code, ErrorCode::kConflict);
  const auto late = Begin(request);
  ASSERT_TRUE(late) << "the disk's chain has changed, the request has not";
  EXPECT_EQ(late->state, JobState::kPivoted);
  EXPECT_EQ(ChainAccess(), "- - - rw");
}

TEST_F(JobTest, AnIdMeansOneJob) {
  ASSERT_TRUE(Begin({.id = "c", .kind = JobKind::kCommit, .base = At("/base")}));
  for (const JobRequest& other :
       {JobRequest{.id = "c", .kind = JobKind::kCommit, .base = At("/lower")},
        JobRequest{.id = "c", .kind = JobKind::kStream}}) {
    EXPECT_EQ(Begin(other).error().code, ErrorCode::kConflict);
  }
}

TEST_F(JobTest, RefusesWhatMakesNoSense) {
  struct Row {
    JobRequest request;
    std::vector<Grant> targets;
    ErrorCode code;
    const char* words;
  };
  const std::vector<Row> rows = {
      {{.kind = JobKind::kCommit}, {}, ErrorCode::kInvalidArgument, "--base"},
      {{.kind = JobKind::kCommit, .top = At("/base"), .base = At("/upper")},
       {},
       ErrorCode::kInvalidArgument,
       "below"},
      {{.kind = JobKind::kCommit, .base = At("/top")}, {}, ErrorCode::kInvalidArgument, "below"},
      {{.kind = JobKind::kCommit, .base = At("/nowhere")},
       {},
       ErrorCode::kNotFound,
       "not in the chain"},
      {{.kind = JobKind::kCommit, .disk = "vdz", .base = At("/base")},
       {},
       ErrorCode::kNotFound,
       "no disk is called 'vdz'"},
      {{.kind = JobKind::kCommit, .base = At("/base")},
       {Target("/x")},
       ErrorCode::kInvalidArgument,
       "no new file"},
      {{.kind = JobKind::kSnapshot}, {}, ErrorCode::kInvalidArgument, "--target"},
      {{.id = "a b", .kind = JobKind::kStream}, {}, ErrorCode::kInvalidArgument, "letters"},
      {{.kind = JobKind::kAttach}, {Target("/x")}, ErrorCode::kConflict, "already"},
  };
  for (const Row& row : rows) {
    const auto job = Begin(row.request, row.targets);
    ASSERT_FALSE(job) << row.words;
    EXPECT_EQ(job.error().code, row.code) << row.words;
    EXPECT_NE(job.error().context.find(row.words), std::string::npos) << job.error().context;
  }
  EXPECT_TRUE(list_.jobs().empty());
  EXPECT_EQ(End("none", JobState::kAborted).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(Begin({.kind = JobKind::kStream}));
  EXPECT_EQ(End("stream-1", JobState::kPivoted).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(JobTest, ADiskMayBeNamedByAnyOfItsImages) {
  const auto job = Begin({.kind = JobKind::kStream, .disk = "/lower"});
  ASSERT_TRUE(job);
  EXPECT_EQ(job->request.disk, "vda");
}

TEST_F(JobTest, TheLeaseOfARunningJobCannotBeRevoked) {
  ASSERT_TRUE(Begin({.kind = JobKind::kStream}));
  const auto taken = Take(&list_, "job:stream-1");
  ASSERT_FALSE(taken);
  EXPECT_NE(taken.error().context.find("job end stream-1"), std::string::npos);
}

TEST_F(JobTest, AJobOutlivesItsDisk) {
  ASSERT_TRUE(Begin({.kind = JobKind::kStream}));
  ASSERT_TRUE(Take(&list_, "domain"));
  EXPECT_TRUE(list_.chains().empty());
  EXPECT_EQ(Access({"/top"}), "rw") << "the job's";
  ASSERT_TRUE(End("stream-1", JobState::kCompleted));
  EXPECT_EQ(Access({"/top"}), "-");
}

TEST_F(JobTest, OnlySoManyRunAndOnlySoManyAreRemembered) {
  for (std::size_t i = 0; i < limits::kMaxEndedJobs + 5; ++i) {
    const auto job = Begin({.kind = JobKind::kStream});
    ASSERT_TRUE(job);
    ASSERT_TRUE(End(job->request.id, JobState::kAborted));
  }
  EXPECT_EQ(list_.jobs().size(), limits::kMaxEndedJobs);
  for (std::size_t i = 0; i < limits::kMaxRunningJobs; ++i) {
    ASSERT_TRUE(Begin({.id = "j" + std::to_string(i), .kind = JobKind::kMigrateOut}));
  }
  EXPECT_EQ(Begin({.kind = JobKind::kStream}).error().code, ErrorCode::kLimit);
}

}  // namespace
}  // namespace openhook::whitelist
