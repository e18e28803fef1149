// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a process in a VM's profile gets from a confined broker, and keeps: the kernel looks at each
// descriptor again.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/apparmor.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "tests/lsm/profile/host.h"

namespace openhook::lsm {
namespace {

using testing_support::ConnectGreeted;
using testing_support::RawPeer;

// Runs `what` as the VM's user in this profile; its exit status. Without exec, as libvirt starts
// QEMU: the profile is changed by the process itself.
int InProfile(const std::string& profile, const std::function<int()>& what) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    const bool confined =
        ::setgroups(0, nullptr) == 0 && ::setresgid(kVmUid, kVmUid, kVmUid) == 0 &&
        ::setresuid(kVmUid, kVmUid, kVmUid) == 0 && ::aa_change_profile(profile.c_str()) == 0;
    ::_exit(confined ? what() : 100);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

proto::Request ReadWriteRequest(const std::string& path) {
  proto::Request request = testing_support::OpenRequest(path);
  request.mutable_open()->set_access(proto::ACCESS_READ_WRITE);
  return request;
}

enum Got { kFile = 0, kDenied = 1, kNoDescriptor = 2, kNoAnswer = 3 };

Got OpenThroughBroker(const RawPeer& peer, const proto::Request& request, UniqueFd* file) {
  auto answer = testing_support::Ask(peer, request);
  if (!answer) {
    return kNoAnswer;
  }
  *file = std::move(answer->fd);
  if (answer->reply.outcome() != proto::OUTCOME_OK) {
    return kDenied;
  }
  return file->IsValid() ? kFile : kNoDescriptor;
}

Got OpenOnce(const std::string& socket, const proto::Request& request) {
  const auto peer = ConnectGreeted(socket);
  UniqueFd file;
  return peer ? OpenThroughBroker(*peer, request, &file) : kNoAnswer;
}

class Delivery : public ::testing::Test {
 protected:
  Delivery() {
    disk_ = host_.File("disk");
    EXPECT_EQ(host_.Ask(GrantRequest({disk_}, proto::GRANT_ACCESS_READ_WRITE)).outcome(),
              proto::OUTCOME_OK);
  }

  Host host_;
  std::string disk_;
};

TEST_F(Delivery, AVmGetsItsDiskWithLocksAndTruncationAndNothingElse) {
  const std::string other = host_.File("other");
  EXPECT_EQ(
      InProfile(kProfile,
                [&] {
                  const auto peer = ConnectGreeted(host_.OpenSocket());
                  UniqueFd file;
                  if (!peer || OpenThroughBroker(*peer, ReadWriteRequest(disk_), &file) != kFile) {
                    return 1;
                  }
                  // QEMU's image locks, and what it does to files.
                  struct flock lock{};
                  lock.l_type = F_WRLCK;
                  lock.l_whence = SEEK_SET;
                  lock.l_len = 1;
                  return ::fcntl(file.Get(), F_OFD_SETLK, &lock) == 0 &&
                                 ::pwrite(file.Get(), "x", 1, 0) == 1 &&
                                 ::ftruncate(file.Get(), 4096) == 0
                             ? 0
                             : 2;
                }),
      0);
  EXPECT_EQ(
      InProfile(kProfile, [&] { return OpenOnce(host_.OpenSocket(), ReadWriteRequest(other)); }),
      kDenied);
}

// The broker's word is not enough. It refuses such a process; when it does not, what it hands to a
// process in another VM's profile is dropped.
TEST_F(Delivery, TheKernelDropsADescriptorThatTheReceiversProfileDoesNotName) {
  constexpr char kOther[] = "libvirt-22222222-2222-4333-8444-555555555555";
  ASSERT_EQ(Parse("-r", std::string("#include <tunables/global>\nprofile ") + kOther +
                            " flags=(attach_disconnected) {\n  #include <abstractions/base>\n"
                            "  network unix,\n}\n"),
            0);
  const auto ask = [&] { return OpenOnce(host_.OpenSocket(), ReadWriteRequest(disk_)); };
  EXPECT_EQ(InProfile(kOther, ask), kNoAnswer);
  host_.KillBroker();
  host_.StartBroker({"--peer-label", "unchecked"});
  ASSERT_TRUE(host_.AwaitInStep());
  EXPECT_EQ(InProfile(kOther, ask), kNoDescriptor);
}

TEST_F(Delivery, AFileThatTheVmMakesArrivesAndIsInTheProfile) {
  ASSERT_EQ(host_.Ask(GrantRequest({host_.files()}, proto::GRANT_ACCESS_CREATE)).outcome(),
            proto::OUTCOME_OK);
  proto::Request request = ReadWriteRequest(host_.files() + "/made");
  request.mutable_open()->set_create(true);
  request.mutable_open()->set_mode(0600);
  request.mutable_open()->set_token(5);
  EXPECT_EQ(InProfile(kProfile, [&] { return OpenOnce(host_.OpenSocket(), request); }), kFile);
  EXPECT_EQ(KernelAllows(host_.files() + "/made"), kAll);
  // Not the directory.
  EXPECT_EQ(KernelAllows(host_.files() + "/not-made"), "");
}

TEST_F(Delivery, WhatIsHeldStaysReadableAndIsForgottenWhenItIsClosed) {
  int close_now[2];
  int opened[2];
  ASSERT_EQ(::pipe(close_now), 0);
  ASSERT_EQ(::pipe(opened), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(close_now[1]);
    ::_exit(InProfile(kProfile, [&] {
      const auto peer = ConnectGreeted(host_.OpenSocket());
      UniqueFd file;
      if (!peer || OpenThroughBroker(*peer, ReadWriteRequest(disk_), &file) != kFile) {
        return 1;
      }
      char byte = 0;
      (void)!::write(opened[1], "x", 1);
      (void)!::read(close_now[0], &byte, 1);
      // AppArmor takes nothing back that was delivered.
      return ::pwrite(file.Get(), "x", 1, 0) == 1 ? 0 : 2;
    }));
  }
  char byte = 0;
  ASSERT_EQ(::read(opened[0], &byte, 1), 1);
  const auto reply = host_.Ask(RevokeRequest(disk_));
  EXPECT_EQ(reply.outcome(), proto::OUTCOME_OK) << reply.reason();
  EXPECT_EQ(KernelAllows(disk_), kReading);
  EXPECT_EQ(host_.Status().ended_held(), 1U);
  ::close(close_now[1]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_TRUE(Within(10'000, [&] { return KernelAllows(disk_).empty(); }));
  EXPECT_EQ(host_.Status().ended_held(), 0U);
}

}  // namespace
}  // namespace openhook::lsm
