// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhook-loader as a process, and on its socket whatever a broker that was broken into may send.
// A kernel that has AppArmor in force is not needed: what is refused is refused before it is asked.
// What the kernel then enforces is tested in tests/lsm.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "broker/base/limits.h"
#include "broker/base/unique_fd.h"
#include "proto/bundle.h"
#include "proto/loader.pb.h"
#include "tests/support/temp_tree.h"

namespace openhook::loader {
namespace {

using ::testing::HasSubstr;

constexpr char kVm[] = "11111111-2222-4333-8444-555555555555";

proto::LoaderRequest Request(const std::string& path) {
  proto::LoaderRequest request;
  request.set_id(1);
  request.set_profile(std::string("libvirt-") + kVm);
  auto* rule = request.add_rules();
  rule->set_path(path);
  rule->set_access(proto::PROFILE_ACCESS_READ_WRITE);
  return request;
}

class LoaderProcessTest : public ::testing::Test {
 protected:
  LoaderProcessTest() {
    std::filesystem::create_directories(ApparmorDir() + "/libvirt");
    std::filesystem::permissions(tree_.Path(""), std::filesystem::perms(0755));
    const auto options = std::filesystem::copy_options::recursive |
                         std::filesystem::copy_options::overwrite_existing;
    std::filesystem::copy("/etc/apparmor.d", ApparmorDir(), options);
    std::filesystem::copy(APPARMOR_INSTALL, ApparmorDir(), options);
    pid_ = Start();
  }
  ~LoaderProcessTest() override { Stop(SIGTERM); }

  [[nodiscard]] std::string ApparmorDir() const { return tree_.Path("apparmor.d"); }
  [[nodiscard]] std::string ProfilePath() const {
    return ApparmorDir() + "/libvirt/libvirt-" + kVm;
  }
  [[nodiscard]] std::string RunDir() const { return tree_.Path("run"); }

  pid_t Start() {
    const pid_t pid = ::fork();
    if (pid == 0) {
      const std::string run_dir = RunDir();
      const std::string apparmor_dir = ApparmorDir();
      ::execl(LOADER_PROGRAM, LOADER_PROGRAM, "--vm", kVm, "--run-dir", run_dir.c_str(),
              "--apparmor-dir", apparmor_dir.c_str(), nullptr);
      ::_exit(127);
    }
    return pid;
  }
  int Stop(int signal) {
    ::kill(pid_, signal);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    return status;
  }

  // Waits for the loader to listen.
  [[nodiscard]] UniqueFd Connect() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = RunDir() + "/" + kVm + "/loader.sock";
    std::memcpy(address.sun_path, path.c_str(), path.size());
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    for (int i = 0; i < 500; ++i) {
      UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
      if (::connect(socket.Get(), generic, sizeof(address)) == 0) {
        return socket;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return UniqueFd();
  }

  static proto::LoaderReply Receive(const UniqueFd& socket) {
    std::vector<std::uint8_t> buffer(limits::kMaxLoaderPacket);
    const ReceivedBundle packet = ReceiveBundle(socket.Get(), buffer.data(), buffer.size(),
                                                DescriptorRule::kNone, WaitMode::kWait);
    proto::LoaderReply reply;
    EXPECT_EQ(packet.status, BundleStatus::kOk);
    EXPECT_TRUE(reply.ParseFromArray(buffer.data(), static_cast<int>(packet.size)));
    return reply;
  }
  static proto::LoaderReply Ask(const UniqueFd& socket, const std::string& packet) {
    EXPECT_EQ(SendBundle(socket.Get(), packet.data(), packet.size(), WaitMode::kWait).status,
              BundleStatus::kOk);
    return Receive(socket);
  }
  static proto::LoaderReply Ask(const UniqueFd& socket, const proto::LoaderRequest& request) {
    return Ask(socket, request.SerializeAsString());
  }

  testing::TempTree tree_;
  pid_t pid_ = -1;
};

TEST_F(LoaderProcessTest, RefusesWhatABrokenInBrokerMaySendAndServesOn) {
  const UniqueFd socket = Connect();
  ASSERT_TRUE(socket.IsValid());
  auto foreign = Request("/srv/a");
  foreign.set_profile("libvirt-99999999-2222-4333-8444-555555555555");
  std::vector<std::string> packets{foreign.SerializeAsString(),
                                   "\xff\xff garbage",
                                   "",
                                   Request("/etc/shadow").SerializeAsString(),
                                   Request("/srv/../etc/shadow").SerializeAsString(),
                                   Request(RunDir() + "/x").SerializeAsString()};
  // An empty packet is the end of a connection to its reader.
  std::erase(packets, "");
  for (const std::string& packet : packets) {
    const auto reply = Ask(socket, packet);
    EXPECT_EQ(reply.outcome(), proto::LOADER_OUTCOME_REFUSED);
    EXPECT_FALSE(reply.reason().empty());
  }
  EXPECT_FALSE(std::filesystem::exists(ProfilePath()));
}

TEST_F(LoaderProcessTest, DropsABrokerThatSendsTooMuchAndServesTheNext) {
  {
    const UniqueFd socket = Connect();
    ASSERT_TRUE(socket.IsValid());
    EXPECT_EQ(Ask(socket, std::string(limits::kMaxLoaderPacket + 1, 'x')).outcome(),
              proto::LOADER_OUTCOME_REFUSED);
  }
  const UniqueFd socket = Connect();
  EXPECT_EQ(Ask(socket, Request("/etc/shadow")).outcome(), proto::LOADER_OUTCOME_REFUSED);
}

TEST_F(LoaderProcessTest, ANewBrokerReplacesOneThatHangs) {
  const UniqueFd old = Connect();
  ASSERT_TRUE(old.IsValid());
  const UniqueFd fresh = Connect();
  EXPECT_EQ(Ask(fresh, Request("/etc/shadow")).outcome(), proto::LOADER_OUTCOME_REFUSED);
  char byte = 0;
  EXPECT_EQ(::recv(old.Get(), &byte, 1, 0), 0);
}

TEST_F(LoaderProcessTest, ASecondLoaderForTheSameVmDoesNotStart) {
  ASSERT_TRUE(Connect().IsValid());
  const pid_t second = Start();
  int status = 0;
  ASSERT_EQ(::waitpid(second, &status, 0), second);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1);
  EXPECT_TRUE(Connect().IsValid());
}

TEST_F(LoaderProcessTest, AKilledLoaderCanBeStartedAgain) {
  ASSERT_TRUE(Connect().IsValid());
  Stop(SIGKILL);
  pid_ = Start();
  const UniqueFd socket = Connect();
  ASSERT_TRUE(socket.IsValid());
  EXPECT_EQ(Ask(socket, Request("/etc/shadow")).outcome(), proto::LOADER_OUTCOME_REFUSED);
}

TEST_F(LoaderProcessTest, ATemplateThatDoesNotCompileIsAnErrorInTheParsersWords) {
  std::ofstream(ApparmorDir() + "/openhook/TEMPLATE.qemu")
      << "\nprofile OPENHOOK_TEMPLATE {\n  nonsense here\n}\n";
  const UniqueFd socket = Connect();
  ASSERT_TRUE(socket.IsValid());
  const auto reply = Ask(socket, Request("/srv/a"));
  EXPECT_EQ(reply.id(), 1U);
  EXPECT_EQ(reply.outcome(), proto::LOADER_OUTCOME_FAILED);
  EXPECT_THAT(reply.reason(), HasSubstr("apparmor_parser does not take the profile"));
  EXPECT_FALSE(std::filesystem::exists(ProfilePath()));
}

// On a kernel that has AppArmor the same request would load a profile, so there it is a test of the
// kernel lab's.
TEST_F(LoaderProcessTest, WithoutAppArmorInTheKernelItSaysSoAndTheFileIsWritten) {
  if (std::filesystem::exists("/sys/kernel/security/apparmor/.replace")) {
    GTEST_SKIP() << "this kernel has AppArmor; tests/lsm loads profiles";
  }
  const UniqueFd socket = Connect();
  ASSERT_TRUE(socket.IsValid());
  const auto reply = Ask(socket, Request("/srv/a b"));
  EXPECT_EQ(reply.outcome(), proto::LOADER_OUTCOME_FAILED);
  EXPECT_THAT(reply.reason(), HasSubstr("no AppArmor in force"));
  std::ostringstream text;
  text << std::ifstream(ApparmorDir() + "/libvirt/libvirt-" + kVm).rdbuf();
  EXPECT_THAT(text.str(), HasSubstr("\n  \"/srv/a\\040b\" rwk,\n}\n"));
}

}  // namespace
}  // namespace openhook::loader
