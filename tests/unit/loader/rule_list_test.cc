// SPDX-License-Identifier: LGPL-2.1-or-later

#include "policy/loader/rule_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/base/limits.h"
#include "proto/loader.pb.h"

namespace openhook::loader {
namespace {

using ::testing::HasSubstr;

constexpr char kProfile[] = "libvirt-11111111-2222-4333-8444-555555555555";

proto::LoaderRequest Request(const std::vector<std::string>& paths) {
  proto::LoaderRequest request;
  request.set_id(7);
  request.set_profile(kProfile);
  for (const std::string& path : paths) {
    auto* rule = request.add_rules();
    rule->set_path(path);
    rule->set_access(proto::PROFILE_ACCESS_READ_WRITE);
  }
  return request;
}

class RuleListTest : public ::testing::Test {
 protected:
  Result<std::optional<RuleList::Complete>> Add(const proto::LoaderRequest& request) {
    const std::string packet = request.SerializeAsString();
    return list_.Add({reinterpret_cast<const std::uint8_t*>(packet.data()), packet.size()});
  }

  RuleList list_{kProfile, {"/var/lib/openhook", "/run/openhook"}};
};

TEST_F(RuleListTest, TakesAListInOnePacketOrInSeveral) {
  auto request = Request({"/srv/a"});
  request.set_more(true);
  ASSERT_FALSE(Add(request).value());
  request = Request({"/srv/b"});
  request.mutable_rules(0)->set_access(proto::PROFILE_ACCESS_READ);
  const auto complete = Add(request).value();
  ASSERT_TRUE(complete);
  EXPECT_EQ(complete->id, 7U);
  EXPECT_EQ(
      complete->rules,
      (apparmor::Rules{{CanonicalPath::Parse("/srv/a").value(), apparmor::RuleAccess::kReadWrite},
                       {CanonicalPath::Parse("/srv/b").value(), apparmor::RuleAccess::kRead}}));
  // The next one begins with nothing of it.
  EXPECT_EQ(Add(Request({"/srv/c"})).value()->rules.size(), 1U);
}

TEST_F(RuleListTest, RefusesTheProfileOfAnotherVmAndNamesThatAreNone) {
  for (const char* name : {"libvirt-22222222-2222-4333-8444-555555555555", "", "unconfined",
                           "libvirtd", "libvirt-11111111-2222-4333-8444-555555555555//&x",
                           "/usr/sbin/sshd", "LIBVIRT-11111111-2222-4333-8444-555555555555"}) {
    auto request = Request({"/srv/a"});
    request.set_profile(name);
    const auto added = Add(request);
    ASSERT_FALSE(added) << name;
    EXPECT_THAT(added.error().context, HasSubstr("was started for")) << name;
  }
}

TEST_F(RuleListTest, RefusesPathsThatAreNotCanonical) {
  for (const char* path :
       {"", "/", "srv/a", "/srv/../etc/shadow", "/srv//a", "/srv/a/", "/srv/./a"}) {
    EXPECT_FALSE(Add(Request({path}))) << path;
  }
  EXPECT_FALSE(Add(Request({std::string("/srv/a\0b", 8)})));
  EXPECT_FALSE(Add(Request({"/" + std::string(256, 'a')})));
}

TEST_F(RuleListTest, RefusesWhatNoVmIsEverGiven) {
  for (const char* path :
       {"/etc/shadow", "/proc/1/mem", "/sys/kernel/security/apparmor/.remove", "/boot/vmlinuz",
        "/dev/mem", "/home/alice/.ssh/id_rsa", "/var/lib/openhook/x.db",
        "/run/openhook/x/open.sock", "/etc/apparmor.d/libvirt/libvirt-x"}) {
    const auto added = Add(Request({"/srv/good", path}));
    ASSERT_FALSE(added) << path;
    EXPECT_EQ(added.error().code, ErrorCode::kPermission) << path;
  }
}

TEST_F(RuleListTest, RefusesGarbageUnknownAccessAndRepeatedPaths) {
  const std::string garbage = "\xff\xff\xff\xff garbage";
  EXPECT_FALSE(list_.Add({reinterpret_cast<const std::uint8_t*>(garbage.data()), garbage.size()}));
  auto request = Request({"/srv/a"});
  request.mutable_rules(0)->set_access(proto::PROFILE_ACCESS_UNSPECIFIED);
  EXPECT_FALSE(Add(request));
  EXPECT_FALSE(Add(Request({"/srv/a", "/srv/a"})));
  request = Request({"/srv/a"});
  request.set_id(0);
  EXPECT_FALSE(Add(request));
}

TEST_F(RuleListTest, RefusesTwoListsInOneAndBeginsAnew) {
  auto request = Request({"/srv/a"});
  request.set_more(true);
  ASSERT_FALSE(Add(request).value());
  request = Request({"/srv/b"});
  request.set_id(8);
  EXPECT_FALSE(Add(request));
  EXPECT_EQ(Add(request).value()->rules.size(), 1U);
}

TEST_F(RuleListTest, RefusesMoreThanAProfileHoldsHoweverItIsSent) {
  // More states than an automaton has.
  auto wide = Request({});
  for (std::size_t i = 0; i * 250 <= limits::kMaxProfileStates; ++i) {
    auto* rule = wide.add_rules();
    rule->set_path("/" + std::to_string(i) + "/" + std::string(250, 'a'));
    rule->set_access(proto::PROFILE_ACCESS_READ);
  }
  const auto refused = Add(wide);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kLimit);
  // More bytes than we keep, in lists without an end.
  std::string deep;
  while (deep.size() < 4000) {
    deep += "/" + std::string(200, 'a');
  }
  for (std::size_t i = 0;; ++i) {
    ASSERT_LT(i * 4000, 2 * limits::kMaxProfilePathBytes);
    auto request = Request({deep + "/" + std::to_string(i)});
    request.set_more(true);
    if (const auto added = Add(request); !added) {
      EXPECT_EQ(added.error().code, ErrorCode::kLimit);
      break;
    }
  }
}

}  // namespace
}  // namespace openhook::loader
