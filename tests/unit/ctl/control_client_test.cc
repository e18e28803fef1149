// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What openhookctl does with the answers of a broker, good and bad.

#include "broker/client/control_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/ctl/fake_broker.h"
#include "tests/unit/ctl/run_ctl.h"

namespace openhook::ctl {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Replies = std::vector<proto::ControlReply>;
using Packets = std::vector<std::string>;

proto::ControlReply StatusOk() {
  proto::ControlReply reply = Reply(proto::OUTCOME_OK);
  reply.mutable_status()->set_vm("vm");
  return reply;
}

CtlRun RunAgainst(const FakeBroker& broker, std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--socket", broker.socket()});
  return RunCtl(arguments);
}

TEST(Answer, OfAnUnknownOutcomeIsAFailure) {
  for (const int outcome : {0, 7, 1000}) {
    proto::ControlReply reply = StatusOk();
    reply.set_outcome(static_cast<proto::Outcome>(outcome));
    const FakeBroker broker(Replies{reply});
    const CtlRun run = RunAgainst(broker, {"status"});
    EXPECT_EQ(run.status, kExitFailed);
    EXPECT_THAT(run.out, IsEmpty());
    EXPECT_THAT(run.err, HasSubstr("counts as a failure"));
  }
}

TEST(Answer, ThatRefusesIsPrintedEscapedWithItsCode) {
  proto::ControlReply reply = Reply(proto::OUTCOME_DENIED);
  reply.set_reason("no\nopenhookctl: all is well");
  reply.set_code("conflict");
  const FakeBroker broker(Replies{reply});
  const CtlRun run = RunAgainst(broker, {"grant", "/a"});
  EXPECT_EQ(run.status, kExitFailed);
  EXPECT_EQ(run.err,
            "openhookctl: the broker refused: no\\x0aopenhookctl: all is well [conflict]\n");
}

TEST(Answer, ToAnotherRequestIsRefused) {
  proto::ControlReply reply = StatusOk();
  reply.set_id(99);
  const FakeBroker broker(Replies{reply});
  EXPECT_THAT(RunAgainst(broker, {"status"}).err, HasSubstr("not one to this request"));
}

TEST(Answer, WithoutTheBodyThatWasAskedForIsRefused) {
  for (const auto& command : std::vector<std::vector<std::string>>{
           {"status"}, {"list"}, {"grant", "/a"}, {"revoke", "/a"}, {"explain", "/a"}}) {
    const FakeBroker broker(Replies{Reply(proto::OUTCOME_OK)});
    EXPECT_EQ(RunAgainst(broker, command).status, kExitFailed) << command.front();
  }
}

TEST(Answer, ThatIsGarbageIsRefused) {
  const FakeBroker broker(Packets{"\xff\xff\xff"});
  const CtlRun run = RunAgainst(broker, {"status"});
  EXPECT_EQ(run.status, kExitFailed);
  EXPECT_THAT(run.err, HasSubstr("answered the greeting"));
}

TEST(Answer, ThatNeverCameLeavesAChangeInDoubt) {
  for (const auto& command :
       std::vector<std::vector<std::string>>{{"grant", "/a"}, {"revoke", "/a"}}) {
    const FakeBroker broker(Replies{});
    const CtlRun run = RunAgainst(broker, command);
    EXPECT_EQ(run.status, kExitFailed);
    EXPECT_THAT(run.err, HasSubstr("whether the change was made is not known"));
  }
  const FakeBroker broker(Replies{});
  EXPECT_THAT(RunAgainst(broker, {"status"}).err,
              AllOf(HasSubstr("closed the connection"), Not(HasSubstr("change"))));
}

TEST(Greeting, OfAnotherVersionIsRefused) {
  proto::ControlReply greeting = Greeting();
  greeting.set_id(1);
  greeting.mutable_hello()->set_version(2);
  const FakeBroker broker(Packets{greeting.SerializeAsString()});
  EXPECT_THAT(RunAgainst(broker, {"status"}).err, HasSubstr("speaks version 2"));
}

TEST(Greeting, LimitsWhatIsSent) {
  proto::ControlReply greeting = Greeting();
  greeting.set_id(1);
  greeting.mutable_hello()->set_max_packet(64);
  const FakeBroker broker(Packets{greeting.SerializeAsString()});
  EXPECT_THAT(RunAgainst(broker, {"grant", "/" + std::string(200, 'x')}).err,
              HasSubstr("takes at most 64"));
}

TEST(Connect, TellsANameThatTheKernelCannotTake) {
  const CtlRun run = RunCtl({"status", "--socket", "/" + std::string(200, 's')});
  EXPECT_EQ(run.status, kExitFailed);
  EXPECT_THAT(run.err, HasSubstr("107 bytes"));
}

TEST(Connect, TellsABrokerThatDiedFromOneThatNeverRan) {
  const TemporaryDirectory directory;
  const std::string socket = directory.path() + "/control.sock";
  EXPECT_THAT(RunCtl({"status", "--socket", socket}).err, HasSubstr("there is no socket"));
  ListenAt(socket).Reset();
  EXPECT_THAT(RunCtl({"status", "--socket", socket}).err,
              HasSubstr("ended without removing its socket"));
}

proto::ControlReply Page(std::uint64_t generation, std::vector<std::uint64_t> ids, bool more) {
  proto::ControlReply reply = Reply(proto::OUTCOME_OK);
  reply.mutable_list()->set_generation(generation);
  reply.mutable_list()->set_more(more);
  for (const std::uint64_t id : ids) {
    proto::GrantInfo* grant = reply.mutable_list()->add_grants();
    grant->set_id(id);
    grant->set_path("/file" + std::to_string(id));
  }
  return reply;
}

TEST(List, JoinsItsPages) {
  FakeBroker broker(Replies{Page(5, {1, 2}, true), Page(5, {4}, true), Page(5, {9}, false)});
  const CtlRun run = RunAgainst(broker, {"list"});
  EXPECT_EQ(run.status, kExitDone) << run.err;
  for (const char* path : {"/file1", "/file2", "/file4", "/file9"}) {
    EXPECT_THAT(run.out, HasSubstr(path));
  }
  const auto requests = broker.Requests();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[0].list().after_id(), 0U);
  EXPECT_EQ(requests[1].list().after_id(), 2U);
  EXPECT_EQ(requests[2].list().after_id(), 4U);
}

TEST(List, BeginsAgainWhenTheWhitelistChangesBetweenPages) {
  const FakeBroker broker(Replies{Page(5, {1}, true), Page(6, {3}, false), Page(6, {3}, false)});
  const CtlRun run = RunAgainst(broker, {"list"});
  EXPECT_EQ(run.status, kExitDone) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("/file3"), Not(HasSubstr("/file1"))));
}

TEST(List, RefusesPagesThatStandStill) {
  for (const Replies& replies :
       {Replies{Page(5, {}, true)}, Replies{Page(5, {2}, true), Page(5, {2}, true)}}) {
    const FakeBroker broker(replies);
    EXPECT_THAT(RunAgainst(broker, {"list"}).err, HasSubstr("does not go on"));
  }
}

TEST(List, SaysSoWhenNothingIsGranted) {
  const FakeBroker broker(Replies{Page(0, {}, false)});
  EXPECT_THAT(RunAgainst(broker, {"list"}).out, HasSubstr("may use no file"));
}

TEST(List, PrintsOneObjectWithJson) {
  const FakeBroker broker(Replies{Page(5, {}, false)});
  EXPECT_EQ(RunAgainst(broker, {"list", "--json"}).out,
            "{\"vm\":\"4dea22b3-1d52-d8f3-2516-782e98ab3fa0\",\"generation\":5,\"grants\":[]}\n");
}

proto::ControlReply Events(std::vector<std::uint64_t> numbers, bool end) {
  proto::ControlReply reply = Reply(proto::OUTCOME_OK);
  reply.mutable_watch()->set_end(end);
  for (const std::uint64_t number : numbers) {
    reply.mutable_watch()->add_events()->set_seq(number);
  }
  return reply;
}

TEST(Watch, ShowsAGapAndStopsAtTheEnd) {
  const FakeBroker broker(Replies{Events({1, 2}, false), Events({6}, false), Events({}, true)});
  const CtlRun run = RunAgainst(broker, {"watch", "--no-follow", "--json"});
  EXPECT_EQ(run.status, kExitDone) << run.err;
  EXPECT_THAT(run.out, HasSubstr("{\"missed\":3}\n{\"seq\":6"));
  EXPECT_THAT(run.out, HasSubstr("{\"seq\":1,"));
}

TEST(Watch, AsksForWhatItWasTold) {
  FakeBroker broker(Replies{Events({}, true)});
  RunAgainst(broker, {"watch", "--last", "7", "--no-follow"});
  const auto requests = broker.Requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].watch().last(), 7U);
  EXPECT_FALSE(requests[0].watch().follow());
}

TEST(Watch, FailsWhenTheBrokerEnds) {
  const FakeBroker broker(Replies{Events({1}, false)});
  const CtlRun run = RunAgainst(broker, {"watch"});
  EXPECT_EQ(run.status, kExitFailed);
  EXPECT_THAT(run.err, HasSubstr("dropped this watcher"));
}

TEST(Status, SaysThatABrokerTellsNothingOfLabelsAndWhatLandlockDoes) {
  proto::ControlReply reply = StatusOk();
  reply.mutable_status()->set_landlock_abi(0);
  const FakeBroker broker(Replies{reply});
  const std::string out = RunAgainst(broker, {"status"}).out;
  EXPECT_THAT(out, HasSubstr("count on the uid only"));
  EXPECT_THAT(out, HasSubstr("NOT stopped:"));
}

TEST(Status, SaysHowLabelsAreChecked) {
  proto::ControlReply reply = StatusOk();
  reply.mutable_status()->set_label_sentence("apparmor: libvirt-1 (enforce), by SO_PEERSEC");
  reply.mutable_status()->set_landlock_abi(3);
  const FakeBroker broker(Replies{reply});
  const std::string out = RunAgainst(broker, {"status"}).out;
  EXPECT_THAT(out, HasSubstr("apparmor: libvirt-1 (enforce), by SO_PEERSEC"));
  EXPECT_THAT(out, HasSubstr("ABI 3"));
}

}  // namespace
}  // namespace openhook::ctl
