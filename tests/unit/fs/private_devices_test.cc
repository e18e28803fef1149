// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/private_devices.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "broker/fs/process.h"

namespace openhook::fs {
namespace {

constexpr const char* kDevice = "/dev/full";  // on every host
constexpr unsigned kMajor = 1;
constexpr unsigned kMinor = 7;

// A process that has made its namespaces, and waits to be killed.
class Resident {
 public:
  explicit Resident(const std::function<bool()>& move_in) {
    int ready[2];
    if (::pipe(ready) != 0) {
      return;
    }
    pid_ = ::fork();
    if (pid_ == 0) {
      const char done = move_in() ? 'y' : 'n';
      (void)!::write(ready[1], &done, 1);
      for (;;) {
        ::pause();
      }
    }
    char done = 'n';
    (void)!::read(ready[0], &done, 1);
    moved_in_ = done == 'y';
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~Resident() { Kill(); }
  Resident(const Resident&) = delete;
  Resident& operator=(const Resident&) = delete;

  void Kill() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
      pid_ = 0;
    }
  }
  [[nodiscard]] bool moved_in() const { return moved_in_; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] ProcessId id() const { return {pid_, StartTicksOf(pid_).value_or(0)}; }

 private:
  pid_t pid_ = 0;
  bool moved_in_ = false;
};

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

  static Result<bool> Look(const Resident& resident) {
    return IsInPrivateDev(resident.id(), kDevice);
  }
};

TEST_F(PrivateDevices, AreThoseWithANodeInTheProcessOwnDev) {
  const Resident with([] { return MakePrivateDev() && MakeNode(); });
  const Resident without([] { return MakePrivateDev(); });
  ASSERT_TRUE(with.moved_in() && without.moved_in());
  EXPECT_TRUE(Look(with).value_or(false));
  EXPECT_FALSE(Look(without).value_or(true));
}

TEST_F(PrivateDevices, AreNotOthersUnderTheSameName) {
  const Resident other([] { return MakePrivateDev() && MakeNode(kMinor + 1); });
  const Resident file([] { return MakePrivateDev() && ::mknod(kDevice, S_IFREG | 0600, 0) == 0; });
  const Resident link([] { return MakePrivateDev() && ::symlink("null", kDevice) == 0; });
  ASSERT_TRUE(other.moved_in() && file.moved_in() && link.moved_in());
  EXPECT_FALSE(Look(other).value_or(true));
  EXPECT_FALSE(Look(file).value_or(true));
  EXPECT_FALSE(Look(link).value_or(true));
}

TEST_F(PrivateDevices, AreNotThoseOfTheHostsDev) {
  const Resident same([] { return true; });
  const Resident moved([] {
    return ::unshare(CLONE_NEWNS) == 0 &&
           ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  });
  ASSERT_TRUE(same.moved_in() && moved.moved_in());
  EXPECT_FALSE(Look(same));
  EXPECT_FALSE(Look(moved));
}

TEST_F(PrivateDevices, AreNotWhatAProcessMadeForItself) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the sanitizer's thread keeps a process from making a user namespace";
#endif
  // With a user namespace it may mount what it likes, and every name would be there.
  const Resident made([] {
    return ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
           ::mount("dev", "/dev", "tmpfs", 0, "mode=0755") == 0;
  });
  // A namespace that is libvirt's, left for one of its own.
  const Resident left(
      [] { return MakePrivateDev() && MakeNode() && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0; });
  ASSERT_TRUE(made.moved_in() && left.moved_in());
  EXPECT_FALSE(Look(made));
  EXPECT_FALSE(Look(left));
}

TEST_F(PrivateDevices, AreNotSeenBelowAChangedRootOrInADevThatOthersWrite) {
  const Resident jailed([] {
    return MakePrivateDev() && ::mkdir("/dev/jail", 0755) == 0 &&
           ::mkdir("/dev/jail/dev", 0755) == 0 &&
           ::mount("dev", "/dev/jail/dev", "tmpfs", 0, "mode=0755") == 0 &&
           ::mknod("/dev/jail/dev/full", S_IFCHR | 0600, ::makedev(kMajor, kMinor)) == 0 &&
           ::chroot("/dev/jail") == 0;
  });
  const Resident open([] { return MakePrivateDev("mode=0777") && MakeNode(); });
  ASSERT_TRUE(jailed.moved_in() && open.moved_in());
  EXPECT_FALSE(Look(jailed));
  EXPECT_FALSE(Look(open));
}

TEST_F(PrivateDevices, AreNotThoseOfAnotherProcessWithTheSamePid) {
  const Resident with([] { return MakePrivateDev() && MakeNode(); });
  ASSERT_TRUE(with.moved_in());
  ProcessId id = with.id();
  ++id.start_ticks;
  EXPECT_FALSE(IsInPrivateDev(id, kDevice));
}

TEST_F(PrivateDevices, KnowAProcessByItsPidfd) {
  Resident process([] { return true; });
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid(), 0)));
  ASSERT_TRUE(pidfd.IsValid());
  const ProcessId before = process.id();
  const auto known = IdOf(process.pid(), pidfd);
  ASSERT_TRUE(known);
  EXPECT_EQ(known->start_ticks, before.start_ticks);
  process.Kill();
  EXPECT_FALSE(IdOf(before.pid, pidfd));
}

TEST_F(PrivateDevices, HaveTheNameOfACharacterDevice) {
  EXPECT_EQ(CharacterDevice(kDevice).value_or(""), kDevice);
  EXPECT_EQ(CharacterDevice("/proc/self/root/dev/full").value_or(""), kDevice);
  EXPECT_FALSE(CharacterDevice("/etc/passwd"));
  EXPECT_FALSE(CharacterDevice("/dev/absent"));
}

}  // namespace
}  // namespace openhook::fs
