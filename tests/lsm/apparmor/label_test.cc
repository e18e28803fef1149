// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A real openhookd and processes with real labels, on a kernel with AppArmor in force.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "policy/label/detect.h"
#include "tests/lsm/apparmor/profiles.h"
#include "tests/support/broker_process.h"
#include "tests/support/raw_peer.h"

namespace openhook::testing_support {
namespace {

using Labels = BrokerProcess::Labels;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kClient = OPENHOOK_TEST_BIN "/guest_client";
constexpr const char* kEscaping = OPENHOOK_TEST_BIN "/guest_client_escaping";
const std::string kInProfile = "as=" + kVmProfile;

std::string VmRules() {
  return "  /tmp/openhook-*/files/{disk,second} rwk,\n  /tmp/openhook-*/files/base rk,\n"
         "  /tmp/openhook-*/files/{listed,bound-listed}/** rwk,\n"
         "  /tmp/openhook-*/go r,\n  " +
         std::string(kEscaping) + " Ux,\n";
}

// Not one to ship: here it only matters that there is one.
std::string BrokerProfile() {
  return std::string("profile openhookd ") + OPENHOOKD + R"( flags=(attach_disconnected) {
  capability,
  network,
  ptrace (read),
  signal,
  /** rwkl,
  /{,usr/}lib{,64}/** mr,
  )" + OPENHOOKD +
         " mr,\n}\n";
}

// Whether the kernel keeps the label of who made a socket, Linux 6.17.
bool KernelKeepsSocketLabels() { return label::ReadKernelFacts().socket_labels; }

class AppArmorLabelTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    LoadProfile(ClientProfile(kOtherVmProfile, "attach_disconnected", VmRules()));
  }
  void SetUp() override {
    LoadProfile(ClientProfile(kVmProfile, "attach_disconnected", VmRules()));
    StartBroker({"--require-label", "apparmor"});
  }

  void StartBroker(const std::vector<std::string>& extra, Labels labels = Labels::kAsTheKernelHas) {
    broker_ = std::make_unique<BrokerProcess>(OPENHOOKD, extra, labels);
    disk_ = Granted("disk", proto::GRANT_ACCESS_READ_WRITE);
    base_ = Granted("base", proto::GRANT_ACCESS_READ_WRITE);
    unlisted_ = Granted("unlisted", proto::GRANT_ACCESS_READ_WRITE);
  }
  std::string Granted(const std::string& name, proto::GrantAccess access) {
    const std::string path = broker_->WriteFile(name, "content");
    broker_->Grant(path, access);
    return path;
  }

  // What guest_client prints.
  std::vector<std::string> Run(const std::vector<std::string>& steps) const {
    std::string command = std::string(kClient) + " " + broker_->OpenSocket();
    for (const std::string& step : steps) {
      command += " '" + step + "'";
    }
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"),
                                                               ::pclose);
    std::vector<std::string> lines;
    std::array<char, 4096> line;
    while (std::fgets(line.data(), line.size(), pipe.get()) != nullptr) {
      lines.emplace_back(line.data());
      lines.back().pop_back();
    }
    return lines;
  }
  std::vector<std::string> InProfile(const std::vector<std::string>& steps) const {
    std::vector<std::string> all = {kInProfile, "connect", "greet"};
    all.insert(all.end(), steps.begin(), steps.end());
    return Run(all);
  }
  // The greeting of a client that does these steps first; it is refused for `reason`.
  void ExpectRefused(const std::vector<std::string>& steps, const std::string& reason) const {
    std::vector<std::string> all = steps;
    all.emplace_back("greet");
    EXPECT_THAT(Run(all),
                ElementsAre(::testing::AllOf(HasSubstr("greet: errno 13"), HasSubstr(reason))));
  }
  [[nodiscard]] proto::ControlReply Explain(const std::string& path, bool write) const {
    proto::ControlRequest request;
    request.mutable_explain()->set_path(path);
    request.mutable_explain()->set_write(write);
    return AskControl(broker_->ControlSocket(), request);
  }
  [[nodiscard]] proto::StatusReply Status() const {
    proto::ControlRequest request;
    request.mutable_status();
    return AskControl(broker_->ControlSocket(), request).status();
  }

  std::unique_ptr<BrokerProcess> broker_;
  std::string disk_;
  std::string base_;
  std::string unlisted_;
};

TEST_F(AppArmorLabelTest, TheVmsProfileIsServedWhatItAllows) {
  EXPECT_THAT(InProfile({"read=" + disk_, "write=" + disk_, "read=" + base_}),
              ElementsAre("greet: ok", "read: ok", "write: ok", "read: ok"));
}

TEST_F(AppArmorLabelTest, AFileWithoutARuleIsRefusedThoughItIsGranted) {
  EXPECT_THAT(InProfile({"read=" + unlisted_}),
              ElementsAre("greet: ok", HasSubstr("read: errno 13, the security profile")));
  const proto::ExplainReply explained = Explain(unlisted_, false).explain();
  EXPECT_FALSE(explained.allow());
  EXPECT_EQ(explained.rule(), "label-denies");
  for (const std::string& part : {kVmProfile, std::string("read"), unlisted_}) {
    EXPECT_THAT(explained.reason(), HasSubstr(part));
  }
  ASSERT_EQ(explained.recent_size(), 2) << "the grant and the denial";
  EXPECT_EQ(explained.recent(1).label(), kVmProfile + " (enforce)");
  EXPECT_THAT(explained.recent(1).reason(), HasSubstr(kVmProfile));
}

TEST_F(AppArmorLabelTest, AFileThatTheProfileMayReadIsNotGivenForWriting) {
  EXPECT_THAT(InProfile({"write=" + base_, "read=" + base_}),
              ElementsAre("greet: ok", HasSubstr("write: errno 13"), "read: ok"));
  EXPECT_THAT(Explain(base_, true).explain().reason(), HasSubstr("does not allow write on"));
  EXPECT_TRUE(Explain(base_, false).explain().allow());
}

TEST_F(AppArmorLabelTest, ARuleThatIsLoadedLaterCountsAtOnceAndOneThatIsGoneToo) {
  const std::string rule = "  /tmp/openhook-*/files/unlisted r,\n";
  LoadProfile(ClientProfile(kVmProfile, "attach_disconnected", VmRules() + rule));
  EXPECT_THAT(InProfile({"read=" + unlisted_}), ElementsAre("greet: ok", "read: ok"));
  LoadProfile(ClientProfile(kVmProfile, "attach_disconnected", VmRules()));
  EXPECT_THAT(InProfile({"read=" + unlisted_}),
              ElementsAre("greet: ok", HasSubstr("read: errno 13")));
}

TEST_F(AppArmorLabelTest, AnUnconfinedProcessIsRefused) {
  ExpectRefused({"connect"}, "the peer is 'unconfined'");
}

TEST_F(AppArmorLabelTest, AnotherVmsProfileIsRefused) {
  ExpectRefused({"as=" + kOtherVmProfile, "connect"}, kOtherVmProfile + " (enforce)', another");
}

TEST_F(AppArmorLabelTest, AStackOfProfilesIsRefused) {
  ExpectRefused({kInProfile, "stack=" + kOtherVmProfile, "connect"}, "several profiles at once");
}

TEST_F(AppArmorLabelTest, AComplainingProfileIsRefusedUnlessThatIsSaid) {
  LoadProfile(ClientProfile(kVmProfile, "attach_disconnected,complain", VmRules()));
  ExpectRefused({kInProfile, "connect"}, "only complains");
  StartBroker({"--accept-complain"});
  EXPECT_THAT(InProfile({"read=" + disk_, "read=" + unlisted_}),
              ElementsAre("greet: ok", "read: ok", "read: ok"));
}

TEST_F(AppArmorLabelTest, ASocketThatAnotherProcessConnectedIsRefused) {
  ExpectRefused({"connect", "child", kInProfile}, "the peer is 'unconfined'");
}

// Before Linux 6.17 the kernel does not keep who made a socket; then the process counts, which is
// in its profile by the time it connects.
TEST_F(AppArmorLabelTest, ASocketMadeOutsideOfTheProfileIsRefusedWhereTheKernelTells) {
  const std::vector<std::string> steps = {"socket", kInProfile, "connect"};
  if (KernelKeepsSocketLabels()) {
    ExpectRefused(steps, "the socket was made by another process before");
  } else {
    std::vector<std::string> all = steps;
    all.emplace_back("greet");
    EXPECT_THAT(Run(all), ElementsAre("greet: ok"));
  }
}

TEST_F(AppArmorLabelTest, AProcessThatLeavesItsProfileIsServedNoMore) {
  const auto left = HasSubstr("read: errno 13, this socket serves the AppArmor label");
  EXPECT_THAT(InProfile({"read=" + disk_, "exec=" + std::string(kEscaping), "read=" + disk_}),
              ElementsAre("greet: ok", "read: ok", left));
  EXPECT_THAT(InProfile({"as=" + kOtherVmProfile, "read=" + disk_, "read=" + disk_}),
              ElementsAre("greet: ok", left, "read: closed"));
  EXPECT_THAT(InProfile({"exec=" + std::string(kClient), "read=" + disk_}),
              ElementsAre("greet: ok", "read: ok"))
      << "another program in the same profile";
}

TEST_F(AppArmorLabelTest, AConnectionWhoseProcessHasEndedIsNobodys) {
  EXPECT_THAT(InProfile({"orphan", "read=" + disk_}),
              ElementsAre("greet: ok", HasSubstr("read: errno 13, the process that connected")));
}

// The kernel makes its processes unconfined then, and keeps saying of their sockets what they were.
TEST_F(AppArmorLabelTest, AProcessWhoseProfileIsRemovedIsServedNoMore) {
  const std::string go = broker_->files() + "/../go";
  std::vector<std::string> lines;
  std::thread client([&] { lines = InProfile({"say=ready", "await=" + go, "read=" + disk_}); });
  while (Status().open_sessions() == 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  RemoveProfile(kVmProfile);
  std::ofstream(go) << "";
  client.join();
  EXPECT_THAT(lines, ElementsAre("greet: ok", "ready", HasSubstr("the peer is 'unconfined'")));
}

TEST_F(AppArmorLabelTest, StatusTellsTheLevel) {
  const proto::StatusReply status = Status();
  EXPECT_EQ(status.security_module(), "apparmor");
  EXPECT_EQ(status.label_level(), "peer-and-files");
  EXPECT_EQ(status.peer_label(), kVmProfile + " (enforce)");
  EXPECT_THAT(status.label_sentence(), HasSubstr(kVmProfile + " (enforce), by "));
  EXPECT_EQ(status.label_sentence().find("SO_PEERSEC") != std::string::npos,
            KernelKeepsSocketLabels());
  EXPECT_THAT(status.label_sentence(), HasSubstr("does not check hand-overs again"));
  std::printf("level: %s\n", status.label_sentence().c_str());
}

TEST_F(AppArmorLabelTest, UncheckedServesAnyLabelAndSaysSo) {
  StartBroker({}, Labels::kUnchecked);
  EXPECT_THAT(Run({"connect", "greet", "read=" + unlisted_}), ElementsAre("greet: ok", "read: ok"));
  EXPECT_EQ(Status().label_level(), "uid");
  EXPECT_THAT(Status().label_sentence(), HasSubstr("AppArmor is in force, but"));
}

// Of a confined broker the kernel lets through only what the VM's profile allows. That it would
// drop the rest shows where the broker does not look.
TEST_F(AppArmorLabelTest, AConfinedBrokerRefusesWhatTheKernelWouldDrop) {
  broker_.reset();
  LoadProfile(BrokerProfile());
  StartBroker({});
  EXPECT_THAT(Status().label_sentence(),
              HasSubstr("each hand-over again, openhookd being 'openhookd"));
  EXPECT_THAT(InProfile({"write=" + disk_, "write=" + base_, "read=" + unlisted_}),
              ElementsAre("greet: ok", "write: ok", HasSubstr("write: errno 13, the security"),
                          HasSubstr("read: errno 13, the security")));
  StartBroker({}, Labels::kUnchecked);
  EXPECT_THAT(InProfile({"write=" + disk_, "write=" + base_, "read=" + unlisted_}),
              ElementsAre("greet: ok", "write: ok", "write: lost", "read: lost"));
  broker_.reset();
  RemoveProfile("openhookd");
}

// By which name a file is opened decides, for the broker and for the kernel alike.
class FileNamesTest : public AppArmorLabelTest {
 protected:
  static constexpr std::array kNames{"bound-listed/file", "bound-unlisted/file", "link",
                                     "hard-link"};

  // Of a confined broker: a client's answers for kNames.
  std::vector<std::string> Answers(Labels labels) {
    StartBroker({}, labels);
    const std::filesystem::path files = broker_->files();
    for (const char* name : {"listed", "elsewhere", "bound-listed", "bound-unlisted"}) {
      std::filesystem::create_directory(files / name);
    }
    broker_->WriteFile("listed/file", "x");
    broker_->WriteFile("elsewhere/file", "x");
    Bind(files / "elsewhere", files / "bound-listed");
    Bind(files / "listed", files / "bound-unlisted");
    std::filesystem::create_symlink(files / "disk", files / "link");
    std::filesystem::create_hard_link(files / "base", files / "hard-link");
    std::vector<std::string> steps;
    for (const char* name : kNames) {
      broker_->Grant(files / name, proto::GRANT_ACCESS_READ);
      steps.push_back("read=" + (files / name).string());
    }
    std::vector<std::string> lines = InProfile(steps);
    EXPECT_EQ(::umount((files / "bound-listed").c_str()), 0);
    EXPECT_EQ(::umount((files / "bound-unlisted").c_str()), 0);
    return lines;
  }

 private:
  static void Bind(const std::filesystem::path& what, const std::filesystem::path& where) {
    EXPECT_EQ(::mount(what.c_str(), where.c_str(), nullptr, MS_BIND, nullptr), 0);
  }
};

TEST_F(FileNamesTest, TheBrokersAnswerIsTheKernels) {
  broker_.reset();
  LoadProfile(BrokerProfile());
  const auto denied = HasSubstr("read: errno 13, the security profile");
  EXPECT_THAT(Answers(Labels::kAsTheKernelHas),
              ElementsAre("greet: ok", "read: ok", denied, "read: ok", denied));
  EXPECT_THAT(Answers(Labels::kUnchecked),
              ElementsAre("greet: ok", "read: ok", "read: lost", "read: ok", "read: lost"));
  broker_.reset();
  RemoveProfile("openhookd");
}

TEST_F(AppArmorLabelTest, WithoutAWayToAskTheKernelTheBrokerDoesNotStart) {
  ASSERT_EQ(::umount("/sys/kernel/security"), 0);
  std::string said = "started";
  try {
    StartBroker({});
  } catch (const std::exception& error) {
    said = error.what();
  }
  ASSERT_EQ(::mount("security", "/sys/kernel/security", "securityfs", 0, nullptr), 0);
  EXPECT_THAT(said, HasSubstr("mount securityfs on /sys/kernel/security"));
}

// What docs/specification.md says of it. The two take turns, and the fastest of each counts: a
// guest stands still when its host has other work.
TEST_F(AppArmorLabelTest, TheChecksOfAnOpenCostLessThanTheRestOfIt) {
  const auto fastest = [this](double* least) {
    const auto lines = InProfile({"read=" + disk_, "time=300:" + disk_});
    ASSERT_EQ(lines.size(), 3U);
    *least = std::min(*least, std::stod(lines[2]));
  };
  double checked = 1e12;
  double unchecked = 1e12;
  for (int round = 0; round < 5; ++round) {
    StartBroker({});
    fastest(&checked);
    StartBroker({}, Labels::kUnchecked);
    fastest(&unchecked);
  }
  std::printf("an open with label checks: %.0f ns, without: %.0f ns, ratio %.2f\n", checked,
              unchecked, checked / unchecked);
  EXPECT_LT(checked / unchecked, 2.0);
}

}  // namespace
}  // namespace openhook::testing_support
