// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/locate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/unit/ctl/fake_broker.h"

namespace openhook::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kFirst[] = "11111111-1d52-d8f3-2516-782e98ab3fa0";
constexpr char kSecond[] = "22222222-1d52-d8f3-2516-782e98ab3fa0";

class Locate : public testing::Test {
 protected:
  std::string SocketOf(const std::string& vm) { return run_.path() + "/" + vm + "/control.sock"; }
  UniqueFd RunBroker(const std::string& vm) {
    EXPECT_EQ(::mkdir((run_.path() + "/" + vm).c_str(), 0711), 0);
    return ListenAt(SocketOf(vm));
  }
  GlobalOptions Options() {
    GlobalOptions options;
    options.run_dir = run_.path();
    return options;
  }
  TemporaryDirectory run_;
};

TEST_F(Locate, TakesTheOnlyBrokerThatRuns) {
  const UniqueFd broker = RunBroker(kFirst);
  EXPECT_EQ(LocateControlSocket(Options()), SocketOf(kFirst));
}

TEST_F(Locate, DoesNotCountABrokerThatDied) {
  const UniqueFd alive = RunBroker(kFirst);
  RunBroker(kSecond).Reset();
  EXPECT_THAT(RunningVms(run_.path()).value(), ElementsAre(kFirst));
}

TEST_F(Locate, DoesNotTakeAnotherDirectoryForABroker) {
  const UniqueFd other = RunBroker("not-a-uuid");
  EXPECT_TRUE(RunningVms(run_.path()).value().empty());
}

TEST_F(Locate, ListsAllCandidatesWhenThereAreSeveral) {
  const UniqueFd first = RunBroker(kFirst);
  const UniqueFd second = RunBroker(kSecond);
  const auto located = LocateControlSocket(Options());
  ASSERT_FALSE(located);
  EXPECT_EQ(located.error().code, ErrorCode::kConflict);
  EXPECT_THAT(located.error().context, HasSubstr(std::string(kFirst) + ", " + kSecond));
}

TEST_F(Locate, SaysHowToStartABrokerWhenNoneRuns) {
  const auto located = LocateControlSocket(Options());
  ASSERT_FALSE(located);
  EXPECT_EQ(located.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(located.error().context, HasSubstr("openhookd --vm UUID"));
}

TEST_F(Locate, SaysSoWhenThereIsNoRunDirectory) {
  GlobalOptions options = Options();
  options.run_dir += "/absent";
  const auto located = LocateControlSocket(options);
  ASSERT_FALSE(located);
  EXPECT_EQ(located.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(located.error().context, HasSubstr("--run-dir"));
}

TEST_F(Locate, MakesTheUuidLowerCaseAsTheBrokerDoes) {
  GlobalOptions options = Options();
  options.vm = "ABCDEF00-1D52-D8F3-2516-782E98AB3FA0";
  EXPECT_EQ(LocateControlSocket(options), SocketOf("abcdef00-1d52-d8f3-2516-782e98ab3fa0"));
}

TEST_F(Locate, PrefersTheSocketThatIsNamed) {
  GlobalOptions options = Options();
  options.socket = "/elsewhere/control.sock";
  EXPECT_EQ(LocateControlSocket(options), "/elsewhere/control.sock");
}

TEST(Uuid, IsRecognised) {
  EXPECT_TRUE(IsUuid(kFirst));
  for (const char* bad :
       {"", "11111111", "11111111-1d52-d8f3-2516-782e98ab3fa", "..",
        "g1111111-1d52-d8f3-2516-782e98ab3fa0", "11111111-1d52-d8f3-2516-782e98ab3fa0/",
        "11111111x1d52-d8f3-2516-782e98ab3fa0"}) {
    EXPECT_FALSE(IsUuid(bad)) << bad;
  }
}

}  // namespace
}  // namespace openhook::ctl
