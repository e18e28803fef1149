// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The VM's profile and the whitelist, in a kernel that has AppArmor in force: what is acknowledged
// is enforced, what is taken is forgotten, and what others undo comes back.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "tests/lsm/profile/host.h"

namespace openhook::lsm {
namespace {

using ::testing::HasSubstr;

class InStep : public ::testing::Test {
 protected:
  Host host_;
};

TEST_F(InStep, AGrantIsEnforcedWhenItIsAcknowledged) {
  for (int i = 0; i < 3; ++i) {
    const std::string path = host_.File("disk" + std::to_string(i));
    EXPECT_EQ(KernelAllows(path), "");
    const auto reply = host_.Ask(GrantRequest({path}, proto::GRANT_ACCESS_READ_WRITE));
    // At once: nothing is waited for.
    EXPECT_EQ(KernelAllows(path), kAll);
    EXPECT_EQ(reply.outcome(), proto::OUTCOME_OK) << reply.reason();
  }
  const std::string read_only = host_.File("base");
  EXPECT_EQ(host_.Ask(GrantRequest({read_only}, proto::GRANT_ACCESS_READ)).outcome(),
            proto::OUTCOME_OK);
  EXPECT_EQ(KernelAllows(read_only), kReading);
  EXPECT_EQ(KernelAllows(host_.File("other")), "");
}

TEST_F(InStep, ARevokedFileIsForgottenWhenThatIsAcknowledged) {
  const std::string path = host_.File("disk");
  ASSERT_EQ(host_.Ask(GrantRequest({path}, proto::GRANT_ACCESS_READ_WRITE)).outcome(),
            proto::OUTCOME_OK);
  const auto reply = host_.Ask(RevokeRequest(path));
  EXPECT_EQ(KernelAllows(path), "");
  EXPECT_EQ(reply.outcome(), proto::OUTCOME_OK) << reply.reason();
}

TEST_F(InStep, WhatAnotherLeaseGivesStays) {
  const std::string path = host_.File("disk");
  ASSERT_EQ(host_.Ask(GrantRequest({path}, proto::GRANT_ACCESS_READ_WRITE, "one")).outcome(),
            proto::OUTCOME_OK);
  ASSERT_EQ(host_.Ask(GrantRequest({path}, proto::GRANT_ACCESS_READ, "two")).outcome(),
            proto::OUTCOME_OK);
  ASSERT_EQ(host_.Ask(RevokeRequest(path, "one")).outcome(), proto::OUTCOME_OK);
  EXPECT_EQ(KernelAllows(path), kReading);
}

// Sends each on a connection of its own, and then waits for the answers; expects that all are well.
void AskAtATime(const Host& host, const std::vector<proto::ControlRequest>& requests) {
  std::vector<testing_support::RawPeer> peers;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    peers.push_back(std::move(*testing_support::RawPeer::Connect(host.ControlSocket())));
    proto::ControlRequest hello;
    hello.set_id(1);
    hello.mutable_hello()->set_min_version(1);
    hello.mutable_hello()->set_max_version(1);
    ASSERT_TRUE(peers.back().SendPatiently(hello.SerializeAsString()));
    ASSERT_FALSE(peers.back().Receive().bytes.empty());
  }
  for (std::size_t i = 0; i < peers.size(); ++i) {
    ASSERT_TRUE(peers[i].SendPatiently(requests[i].SerializeAsString()));
  }
  for (const auto& peer : peers) {
    proto::ControlReply reply;
    ASSERT_TRUE(reply.ParseFromString(peer.Receive(60'000).bytes));
    EXPECT_EQ(reply.outcome(), proto::OUTCOME_OK) << reply.reason();
  }
}

// As many as a broker looks at for one file system at a time (limits.h).
TEST_F(InStep, EighteenGrantsAtATimeCostTwoLoads) {
  std::vector<std::string> paths;
  std::vector<proto::ControlRequest> requests;
  for (int i = 0; i < 18; ++i) {
    paths.push_back(host_.File("disk" + std::to_string(i)));
    requests.push_back(GrantRequest({paths.back()}, proto::GRANT_ACCESS_READ_WRITE));
  }
  const std::uint64_t before = KernelRevision();
  AskAtATime(host_, requests);
  for (const std::string& path : paths) {
    EXPECT_EQ(KernelAllows(path), kAll);
  }
  EXPECT_LE(KernelRevision() - before, 2U);
  EXPECT_GT(KernelRevision(), before);
}

// Nearly as many as a broker has control connections (limits.h).
TEST_F(InStep, ThirtyRevokesAtATimeCostTwoLoads) {
  std::vector<std::string> paths;
  std::vector<proto::ControlRequest> requests;
  for (int i = 0; i < 30; ++i) {
    paths.push_back(host_.File("disk" + std::to_string(i)));
    requests.push_back(RevokeRequest(paths.back()));
  }
  ASSERT_EQ(host_.Ask(GrantRequest(paths, proto::GRANT_ACCESS_READ_WRITE)).outcome(),
            proto::OUTCOME_OK);
  const std::uint64_t before = KernelRevision();
  AskAtATime(host_, requests);
  for (const std::string& path : paths) {
    EXPECT_EQ(KernelAllows(path), "");
  }
  EXPECT_LE(KernelRevision() - before, 2U);
  EXPECT_GT(KernelRevision(), before);
}

TEST_F(InStep, AnotherProgramsLoadIsPutRightWithinASecondAndReported) {
  const std::string path = host_.File("disk");
  ASSERT_EQ(host_.Ask(GrantRequest({path}, proto::GRANT_ACCESS_READ_WRITE)).outcome(),
            proto::OUTCOME_OK);
  ASSERT_EQ(Parse("-r", std::string("profile ") + kProfile + " {\n}\n"), 0);
  EXPECT_TRUE(Within(1000, [&] { return KernelAllows(path) == kAll; }));
  EXPECT_TRUE(Within(1000, [&] {
    return host_.Events().find("another program had replaced the AppArmor profile") !=
           std::string::npos;
  })) << host_.Events();
  // One that gives more is no better.
  ASSERT_EQ(Parse("-r", std::string("profile ") + kProfile + " {\n  /** rwk,\n}\n"), 0);
  EXPECT_TRUE(Within(1000, [&] { return KernelAllows("/etc/shadow").empty(); }));
  EXPECT_EQ(KernelAllows(path), kAll);
}

TEST_F(InStep, AnotherProgramsRemovalIsPutRightAndTheDangerIsSaid) {
  const std::string path = host_.File("disk");
  ASSERT_EQ(host_.Ask(GrantRequest({path}, proto::GRANT_ACCESS_READ_WRITE)).outcome(),
            proto::OUTCOME_OK);
  ASSERT_EQ(Parse("-R", std::string("profile ") + kProfile + " {\n}\n"), 0);
  EXPECT_TRUE(Within(1000, [&] { return KernelAllows(path) == kAll; }));
  EXPECT_TRUE(Within(1000, [&] {
    return host_.Events().find("unconfined for good") != std::string::npos;
  })) << host_.Events();
}

TEST_F(InStep, WithoutALoaderNothingIsGrantedAndItsReturnIsEnough) {
  const std::string path = host_.File("disk");
  ASSERT_EQ(host_.Ask(GrantRequest({path}, proto::GRANT_ACCESS_READ_WRITE)).outcome(),
            proto::OUTCOME_OK);
  host_.KillLoader();
  const std::string more = host_.File("more");
  const auto refused = host_.Ask(GrantRequest({more}, proto::GRANT_ACCESS_READ_WRITE));
  EXPECT_EQ(refused.outcome(), proto::OUTCOME_FAILED);
  EXPECT_THAT(refused.reason(), HasSubstr("openhook-loader"));
  const auto revoked = host_.Ask(RevokeRequest(path));
  EXPECT_EQ(revoked.outcome(), proto::OUTCOME_FAILED);
  EXPECT_THAT(revoked.reason(), HasSubstr("the whitelist is changed"));
  EXPECT_EQ(KernelAllows(path), kAll);
  host_.StartLoader();
  EXPECT_TRUE(host_.AwaitInStep());
  EXPECT_EQ(KernelAllows(path), "");
  EXPECT_EQ(host_.Ask(GrantRequest({more}, proto::GRANT_ACCESS_READ_WRITE)).outcome(),
            proto::OUTCOME_OK);
  EXPECT_EQ(KernelAllows(more), kAll);
}

TEST_F(InStep, AKilledBrokerFindsTheKernelAgainAndPutsItRight) {
  const std::string path = host_.File("disk");
  ASSERT_EQ(host_.Ask(GrantRequest({path}, proto::GRANT_ACCESS_READ_WRITE)).outcome(),
            proto::OUTCOME_OK);
  host_.KillBroker();
  // The profile outlives its broker: a VM may be running in it.
  EXPECT_EQ(KernelAllows(path), kAll);
  host_.KillLoader();
  ASSERT_EQ(Parse("-r", std::string("profile ") + kProfile + " {\n}\n"), 0);
  host_.StartLoader();
  host_.StartBroker();
  EXPECT_TRUE(host_.AwaitInStep());
  EXPECT_EQ(KernelAllows(path), kAll);
}

TEST_F(InStep, ATemplateThatDoesNotCompileRefusesAndLeavesEverythingAsItWas) {
  const std::string path = host_.File("disk");
  const std::string more = host_.File("more");
  ASSERT_EQ(host_.Ask(GrantRequest({path}, proto::GRANT_ACCESS_READ_WRITE)).outcome(),
            proto::OUTCOME_OK);
  const std::string local = std::string("/etc/apparmor.d/local/") + kProfile;
  std::filesystem::create_directories("/etc/apparmor.d/local");
  Parse("-Q > /dev/null; echo nonsense here > " + local, "profile x {\n}\n");
  const auto refused = host_.Ask(GrantRequest({more}, proto::GRANT_ACCESS_READ_WRITE));
  std::filesystem::remove(local);
  EXPECT_EQ(refused.outcome(), proto::OUTCOME_FAILED);
  EXPECT_THAT(refused.reason(), HasSubstr("apparmor_parser does not take the profile"));
  EXPECT_EQ(KernelAllows(path), kAll);
  EXPECT_EQ(KernelAllows(more), "");
  EXPECT_EQ(host_.Ask(GrantRequest({more}, proto::GRANT_ACCESS_READ_WRITE)).outcome(),
            proto::OUTCOME_OK);
}

TEST_F(InStep, EveryByteOfANameIsTakenForItselfByTheKernel) {
  std::vector<std::string> paths;
  for (int byte = 1; byte < 256; byte += 2) {
    if (byte != '/') {
      paths.push_back(host_.File(std::string("x") + static_cast<char>(byte) + "y"));
    }
  }
  ASSERT_EQ(host_.Ask(GrantRequest(paths, proto::GRANT_ACCESS_READ_WRITE)).outcome(),
            proto::OUTCOME_OK);
  for (int byte = 1; byte < 256; ++byte) {
    if (byte != '/') {
      const std::string path = host_.files() + "/x" + std::string(1, static_cast<char>(byte)) + "y";
      EXPECT_EQ(KernelAllows(path), byte % 2 == 1 ? kAll : "") << byte;
    }
  }
  EXPECT_EQ(KernelAllows(host_.files() + "/xy"), "");
  EXPECT_EQ(KernelAllows(host_.files() + "/xaay"), "");
}

// The shipped abstraction, for a domain named "lab".
TEST_F(InStep, ADomainsDirectoriesAreNotThoseOfOneWhoseNameEndsAlike) {
  const std::string libvirt = "/var/lib/libvirt/qemu/";
  for (const char* own : {"domain-1-lab/master-key.aes", "domain-2147483647-lab/monitor.sock",
                          "channel/target/domain-23-lab/org.qemu.guest_agent.0"}) {
    EXPECT_EQ(KernelAllows(libvirt + own), kAll) << own;
  }
  for (const char* others : {"domain-1-a-lab/master-key.aes", "domain-x-lab/master-key.aes",
                             "domain--lab/x", "domain-1-lab-2/x", "domain-1-/x", "save/a-lab.save",
                             "channel/target/domain-1-a-lab/org.qemu.guest_agent.0"}) {
    EXPECT_EQ(KernelAllows(libvirt + others), "") << others;
  }
  EXPECT_EQ(KernelAllows(libvirt + "save/lab.save"), "read");
}

// Names of one prefix share libvirt's short name, and the monitor's socket lies in the directory.
TEST_F(InStep, TheNumberOfADomainTellsItsDirectoriesFromThoseOfANameThatBeginsAlike) {
  host_.KillLoader();
  host_.StartLoader({"--id", "7"});
  // Refused until the broker has met it.
  const std::string path = host_.File("x");
  proto::ControlReply reply;
  for (int tries = 0; tries < 100 && reply.outcome() != proto::OUTCOME_OK; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(tries == 0 ? 0 : 100));
    reply = host_.Ask(GrantRequest({path}, proto::GRANT_ACCESS_READ));
  }
  ASSERT_EQ(reply.outcome(), proto::OUTCOME_OK) << reply.reason();
  for (const char* place : {"/var/lib/libvirt/qemu/domain-", "/run/libvirt/qemu/channel/",
                            "/var/lib/libvirt/qemu/channel/target/domain-"}) {
    EXPECT_EQ(KernelAllows(std::string(place) + "7-lab/monitor.sock"), kAll) << place;
    EXPECT_EQ(KernelAllows(std::string(place) + "8-lab/monitor.sock"), "") << place;
    EXPECT_EQ(KernelAllows(std::string(place) + "77-lab/monitor.sock"), "") << place;
  }
}

}  // namespace
}  // namespace openhook::lsm
