// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The table that libvirt calls, called like libvirt calls it, with a broker of a few lines.

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <thread>
#include <vector>

#include "broker/base/unique_fd.h"
#include "broker/libvirt/lock_abi.h"
#include "proto/control.pb.h"

extern "C" openhook::libvirt::LockDriver virLockDriverImpl;

namespace openhook::libvirt {
namespace {

constexpr const char* kUuid = "11111111-2222-3333-4444-555555555555";

// Answers every request with one outcome, and remembers the announcements.
class FakeBroker {
 public:
  FakeBroker(const std::string& socket_path, proto::Outcome outcome)
      : listener_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)), outcome_(outcome) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(socket_path.begin(), socket_path.end(), address.sun_path);
    EXPECT_EQ(::bind(listener_.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    EXPECT_EQ(::listen(listener_.Get(), 5), 0);
    thread_ = std::thread([this] { Serve(); });
  }
  ~FakeBroker() {
    ::shutdown(listener_.Get(), SHUT_RDWR);
    thread_.join();
  }

  std::vector<proto::Announcement> announcements;
  std::atomic<int> deaths = 0;  // how often it still ends instead of an answer

 private:
  void Serve() {
    while (true) {
      const UniqueFd client(::accept(listener_.Get(), nullptr, nullptr));
      if (!client.IsValid()) {
        return;
      }
      std::vector<char> packet(16384);
      for (ssize_t size = 0; (size = ::recv(client.Get(), packet.data(), packet.size(), 0)) > 0;) {
        Answer(client, packet.data(), static_cast<int>(size));
      }
    }
  }

  void Answer(const UniqueFd& client, const char* packet, int size) {
    proto::ControlRequest request;
    ASSERT_TRUE(request.ParseFromArray(packet, size));
    proto::ControlReply reply;
    reply.set_id(request.id());
    reply.set_outcome(proto::OUTCOME_OK);
    if (request.has_hello()) {
      reply.mutable_hello()->set_version(1);
    } else {
      announcements.push_back(request.announcement());
      if (deaths > 0) {
        --deaths;
        ::shutdown(client.Get(), SHUT_RDWR);
        return;
      }
      reply.set_outcome(outcome_);
      reply.set_reason("because of the test");
    }
    const std::string bytes = reply.SerializeAsString();
    ::send(client.Get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  UniqueFd listener_;
  proto::Outcome outcome_;
  std::thread thread_;
};

class LockDriverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/openhook-lock-XXXXXX";
    directory_ = ::mkdtemp(name.data());
    ::mkdir((directory_ + "/" + kUuid).c_str(), 0700);
    socket_ = directory_ + "/" + kUuid + "/control.sock";
    Configure("run_dir = " + directory_ + "\ntimeout_ms = 300\n");
  }
  void TearDown() override {
    ::unlink(socket_.c_str());
    ::unlink((directory_ + "/qemu-openhook.conf").c_str());
    ::rmdir((directory_ + "/" + kUuid).c_str());
    ::rmdir(directory_.c_str());
  }

  void Configure(const std::string& text) {
    const std::string file = directory_ + "/qemu-openhook.conf";
    std::ofstream(file) << text;
    EXPECT_EQ(virLockDriverImpl.init(kLockAbiVersion, file.c_str(), 0), 0);
  }

  static LockManager Made() {
    std::vector<LockParam> params(2);
    params[0] = {kParamIsUuid, "uuid", {}};
    const unsigned char bytes[] = {0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x33, 0x33,
                                   0x44, 0x44, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55};
    std::copy(std::begin(bytes), std::end(bytes), params[0].value.uuid);
    params[1] = {kParamIsUint, "pid", {}};
    params[1].value.ui = 77;
    LockManager manager{&virLockDriverImpl, nullptr};
    EXPECT_EQ(virLockDriverImpl.make(&manager, kObjectIsDomain, 2, params.data(), 0), 0);
    return manager;
  }

  static int Acquire(const std::vector<std::string>& paths, unsigned flags = 0, unsigned how = 0) {
    LockManager manager = Made();
    for (const std::string& path : paths) {
      EXPECT_EQ(virLockDriverImpl.add_resource(&manager, kResourceIsDisk, path.c_str(), 0, nullptr,
                                               flags),
                0);
    }
    const int result = virLockDriverImpl.acquire(&manager, nullptr, how, 0, nullptr);
    virLockDriverImpl.free(&manager);
    return result;
  }

  static int Release(const std::string& path, char** state) {
    LockManager manager = Made();
    virLockDriverImpl.add_resource(&manager, kResourceIsDisk, path.c_str(), 0, nullptr, 0);
    const int result = virLockDriverImpl.release(&manager, state, 0);
    virLockDriverImpl.free(&manager);
    return result;
  }

  std::string directory_;
  std::string socket_;
};

TEST_F(LockDriverTest, TellsTheBrokerWhatLibvirtAnnounces) {
  FakeBroker broker(socket_, proto::OUTCOME_OK);
  EXPECT_EQ(Acquire({"/srv/disk"}), 0);
  EXPECT_EQ(Acquire({"/srv/iso"}, kResourceReadOnly), 0);
  EXPECT_EQ(Release("/srv/disk", nullptr), 0);
  ASSERT_EQ(broker.announcements.size(), 3U);
  EXPECT_EQ(broker.announcements[0].kind(), proto::ANNOUNCEMENT_KIND_ACQUIRED);
  EXPECT_EQ(broker.announcements[0].path(), "/srv/disk");
  EXPECT_TRUE(broker.announcements[0].write());
  EXPECT_EQ(broker.announcements[0].pid(), 77);
  EXPECT_FALSE(broker.announcements[1].write());
  EXPECT_EQ(broker.announcements[2].kind(), proto::ANNOUNCEMENT_KIND_RELEASED);
}

TEST_F(LockDriverTest, AMachineWithoutABrokerNoticesNothing) {
  EXPECT_EQ(Acquire({"/srv/disk"}), 0);
  EXPECT_EQ(Release("/srv/disk", nullptr), 0);
}

TEST_F(LockDriverTest, ARefusalIsAVeto) {
  FakeBroker broker(socket_, proto::OUTCOME_FAILED);
  EXPECT_EQ(Acquire({"/etc/shadow"}), -1);
}

TEST_F(LockDriverTest, ARunningMachineIsNotStoppedByARefusal) {
  FakeBroker broker(socket_, proto::OUTCOME_FAILED);
  EXPECT_EQ(Acquire({"/srv/a", "/srv/b"}), 0);
  EXPECT_TRUE(broker.announcements.at(0).whole_machine());
}

TEST_F(LockDriverTest, APauseIsNoRelease) {
  FakeBroker broker(socket_, proto::OUTCOME_OK);
  char* state = nullptr;
  EXPECT_EQ(Release("/srv/disk", &state), 0);
  EXPECT_EQ(state, nullptr);
  EXPECT_TRUE(broker.announcements.empty());
}

TEST_F(LockDriverTest, ARegistrationIsNotAnnounced) {
  FakeBroker broker(socket_, proto::OUTCOME_OK);
  EXPECT_EQ(Acquire({"/srv/disk"}, 0, kAcquireRegisterOnly), 0);
  EXPECT_TRUE(broker.announcements.empty());
}

TEST_F(LockDriverTest, ABrokerThatDoesNotAnswerIsGivenUpInTime) {
  const UniqueFd listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(socket_.begin(), socket_.end(), address.sun_path);
  ASSERT_EQ(::bind(listener.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
            0);
  ASSERT_EQ(::listen(listener.Get(), 1), 0);
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(Acquire({"/srv/disk"}), -1);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(2));
}

TEST_F(LockDriverTest, ABrokerThatEndsBeforeItAnswersIsToldAgain) {
  FakeBroker broker(socket_, proto::OUTCOME_OK);
  broker.deaths = 2;
  EXPECT_EQ(Acquire({"/srv/disk"}), 0);
  EXPECT_EQ(broker.announcements.size(), 3U);
  EXPECT_EQ(broker.announcements.back().path(), "/srv/disk");
}

TEST_F(LockDriverTest, ABrokerThatEndsAgainAndAgainIsGivenUpInTime) {
  FakeBroker broker(socket_, proto::OUTCOME_OK);
  broker.deaths = 1000000;
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(Acquire({"/srv/disk"}), -1);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(2));
}

TEST_F(LockDriverTest, ADelegateThatIsMissingRefusesEveryDiskButLetsLibvirtdStart) {
  Configure("run_dir = " + directory_ + "\ndelegate = no-such-driver\n");
  EXPECT_EQ(Acquire({"/srv/disk"}), -1);
  Configure("nonsense");
  EXPECT_EQ(Acquire({"/srv/disk"}), -1);
}

}  // namespace
}  // namespace openhook::libvirt
