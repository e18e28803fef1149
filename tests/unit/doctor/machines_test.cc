// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What needs no libvirtd; tests/adopt has one.

#include "broker/doctor/machines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_tree.h"
#include "tests/unit/doctor/findings_text.h"

namespace openhook::doctor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kUuid = "11111111-2222-3333-4444-555555555555";

Result<domain::Plan> NoPlanner(std::string_view /*xml*/) {
  return Fail(ErrorCode::kUnavailable, "nobody asks");
}

TEST(BrokerChecks, TellHowEachServes) {
  proto::StatusReply good;
  good.set_grants(3);
  good.set_label_sentence("no security module in force");
  proto::StatusReply hangs = good;
  hangs.set_workers_stuck(1);
  proto::StatusReply behind = good;
  behind.set_profile("libvirt-1");
  behind.set_profile_fault("no loader");
  EXPECT_THAT(Lines(CheckBrokers({{"a", good}, {"b", hangs}, {"c", behind}})),
              ElementsAre("ok broker a: serves 3 grants; no security module in force",
                          HasSubstr("a file system does not answer"),
                          HasSubstr("not in step with the whitelist: no loader")));
}

TEST(BrokerChecks, ADirectoryWithoutAListenerIsNoBroker) {
  const testing::TempTree tree;
  tree.Directory(kUuid);
  HostPaths paths;
  paths.run_dir = tree.root();
  EXPECT_THAT(AskBrokers(paths), IsEmpty());
  paths.run_dir += "/absent";
  EXPECT_THAT(AskBrokers(paths), IsEmpty());
}

TEST(AdoptedChecks, LookAtWhatIsKept) {
  const testing::TempTree tree;
  HostPaths paths;
  paths.config_dir = tree.root();
  EXPECT_THAT(Lines(CheckAdopted(paths, nullptr, NoPlanner, {})),
              ElementsAre("note domains: none is adopted"));
  const adopt::Adoptions adoptions(paths.config_dir + "/domains");
  ASSERT_TRUE(adoptions.Lock());
  ASSERT_TRUE(adoptions.SetSettings(kUuid, {}));
  EXPECT_THAT(Lines(CheckAdopted(paths, nullptr, NoPlanner, {})),
              ElementsAre(HasSubstr("what adopting it kept is gone or damaged")));
  ASSERT_TRUE(adoptions.SetRecord(kUuid, {"/absent/openhook-qemu", "", {}}));
  EXPECT_THAT(Lines(CheckAdopted(paths, nullptr, NoPlanner, {})),
              ElementsAre(HasSubstr("is no program of this host")));
  ASSERT_TRUE(adoptions.SetRecord(kUuid, {"/bin/true", "", {}}));
  EXPECT_THAT(CheckAdopted(paths, nullptr, NoPlanner, {}), IsEmpty());
}

}  // namespace
}  // namespace openhook::doctor
