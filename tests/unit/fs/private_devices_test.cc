// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/private_devices.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "broker/fs/process.h"
#include "tests/support/idler.h"

namespace openhook::fs {
namespace {

using testing::Idler;

constexpr const char* kDevice = "/dev/full";  // on every host
constexpr unsigned kMajor = 1;
constexpr unsigned kMinor = 7;

ProcessId ProcessIdOf(const Idler& process) {
  return {process.pid(), StartTicksOf(process.pid()).value_or(0)};
}

// As libvirt does: a namespace with a /dev of its own.
bool MakePrivateDev(const char* mode = "mode=0755") {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("dev", "/dev", "tmpfs", 0, mode) == 0;
}

bool MakeNode(unsigned minor = kMinor) {
  return ::mknod(kDevice, S_IFCHR | 0600, ::makedev(kMajor, minor)) == 0;
}

class PrivateDevices : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::geteuid(), 0U) << "needs root: it makes namespaces"; }

  static Result<bool> Look(const Idler& process) {
    return IsInPrivateDev(ProcessIdOf(process), kDevice);
  }
};

TEST_F(PrivateDevices, AreThoseWithANodeInTheProcessOwnDev) {
  const Idler with([] { return MakePrivateDev() && MakeNode(); });
  const Idler without([] { return MakePrivateDev(); });
  ASSERT_TRUE(with.set_up() && without.set_up());
  EXPECT_TRUE(Look(with).value_or(false));
  EXPECT_FALSE(Look(without).value_or(true));
}

TEST_F(PrivateDevices, AreNotOthersUnderTheSameName) {
  const Idler other([] { return MakePrivateDev() && MakeNode(kMinor + 1); });
  const Idler file([] { return MakePrivateDev() && ::mknod(kDevice, S_IFREG | 0600, 0) == 0; });
  const Idler link([] { return MakePrivateDev() && ::symlink("null", kDevice) == 0; });
  ASSERT_TRUE(other.set_up() && file.set_up() && link.set_up());
  EXPECT_FALSE(Look(other).value_or(true));
  EXPECT_FALSE(Look(file).value_or(true));
  EXPECT_FALSE(Look(link).value_or(true));
}

TEST_F(PrivateDevices, AreNotThoseOfTheHostsDev) {
  const Idler same([] { return true; });
  const Idler moved([] {
    return ::unshare(CLONE_NEWNS) == 0 &&
           ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  });
  ASSERT_TRUE(same.set_up() && moved.set_up());
  EXPECT_FALSE(Look(same));
  EXPECT_FALSE(Look(moved));
}

TEST_F(PrivateDevices, AreNotWhatAProcessMadeForItself) {
  // With a user namespace it may mount what it likes, and every name would be there.
  const Idler made([] {
    return ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
           ::mount("dev", "/dev", "tmpfs", 0, "mode=0755") == 0;
  });
  // A namespace that is libvirt's, left for one of its own.
  const Idler left(
      [] { return MakePrivateDev() && MakeNode() && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0; });
  ASSERT_TRUE(made.set_up() && left.set_up());
  EXPECT_FALSE(Look(made));
  EXPECT_FALSE(Look(left));
}

TEST_F(PrivateDevices, AreNotSeenBelowAChangedRootOrInADevThatOthersWrite) {
  const Idler jailed([] {
    return MakePrivateDev() && ::mkdir("/dev/jail", 0755) == 0 &&
           ::mkdir("/dev/jail/dev", 0755) == 0 &&
           ::mount("dev", "/dev/jail/dev", "tmpfs", 0, "mode=0755") == 0 &&
           ::mknod("/dev/jail/dev/full", S_IFCHR | 0600, ::makedev(kMajor, kMinor)) == 0 &&
           ::chroot("/dev/jail") == 0;
  });
  const Idler open([] { return MakePrivateDev("mode=0777") && MakeNode(); });
  ASSERT_TRUE(jailed.set_up() && open.set_up());
  EXPECT_FALSE(Look(jailed));
  EXPECT_FALSE(Look(open));
}

TEST_F(PrivateDevices, HaveTheNameThatLinksInDevLeadTo) {
  const Idler looked([] {
    return MakePrivateDev() && MakeNode() && ::mkdir("/dev/by-id", 0755) == 0 &&
           ::symlink("../full", "/dev/by-id/link") == 0 &&
           ::symlink("/dev/by-id/link", "/dev/twice") == 0 &&
           CharacterDevice("/dev/by-id/link").value_or("") == kDevice &&
           CharacterDevice("/dev/twice").value_or("") == kDevice;
  });
  EXPECT_TRUE(looked.set_up());
}

// Everybody may write to /dev/shm, and a link there may lead to a file system that never answers.
TEST_F(PrivateDevices, AreNotLookedForWhereOthersMakeLinks) {
  const Idler looked([] {
    const bool made = MakePrivateDev() && MakeNode() && ::mkdir("/dev/shm", 0755) == 0 &&
                      ::mount("shm", "/dev/shm", "tmpfs", 0, "mode=1777") == 0 &&
                      ::symlink(kDevice, "/dev/shm/link") == 0 &&
                      ::symlink("self", "/dev/self") == 0 &&
                      ::symlink("/proc/self/fd/0", "/dev/stdin") == 0;
    return made && !CharacterDevice("/dev/shm/link") && !CharacterDevice("/dev/self") &&
           !CharacterDevice("/dev/stdin") && !CharacterDevice("/dev/none") &&
           !CharacterDevice("/dev/shm");
  });
  EXPECT_TRUE(looked.set_up());
}

TEST_F(PrivateDevices, AreNotThoseOfAnotherProcessWithTheSamePid) {
  const Idler with([] { return MakePrivateDev() && MakeNode(); });
  ASSERT_TRUE(with.set_up());
  ProcessId id = ProcessIdOf(with);
  ++id.start_ticks;
  EXPECT_FALSE(IsInPrivateDev(id, kDevice));
}

TEST_F(PrivateDevices, KnowAProcessByItsPidfd) {
  Idler process([] { return true; });
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid(), 0)));
  ASSERT_TRUE(pidfd.IsValid());
  const ProcessId before = ProcessIdOf(process);
  const auto known = IdOf(process.pid(), pidfd);
  ASSERT_TRUE(known);
  EXPECT_EQ(known->start_ticks, before.start_ticks);
  process.Kill();
  EXPECT_FALSE(IdOf(before.pid, pidfd));
}

TEST_F(PrivateDevices, HaveTheNameOfACharacterDevice) {
  EXPECT_EQ(CharacterDevice(kDevice).value_or(""), kDevice);
  EXPECT_FALSE(CharacterDevice("/proc/self/root/dev/full"));
  EXPECT_FALSE(CharacterDevice("/dev/../dev/full"));
  EXPECT_FALSE(CharacterDevice("/etc/passwd"));
  EXPECT_FALSE(CharacterDevice("/dev/absent"));
}

}  // namespace
}  // namespace openhook::fs
