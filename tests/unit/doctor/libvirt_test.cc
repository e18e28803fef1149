// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/doctor/libvirt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <utime.h>

#include "tests/support/temp_tree.h"
#include "tests/unit/doctor/findings_text.h"

namespace openhook::doctor {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr time_t kEarlier = 1'000'000;
constexpr time_t kLater = 2'000'000;

class FeedChecks : public ::testing::Test {
 protected:
  FeedChecks() {
    paths_.qemu_conf = Made("qemu.conf", "lock_manager = \"openhook\"\n", kEarlier);
    paths_.hook = Made("hook", "#!/bin/sh\n", kEarlier);
    ::chmod(paths_.hook.c_str(), 0755);
    paths_.lock_drivers = tree_.root();
    Made("openhook.so", "", kEarlier);
    paths_.daemon_pids = {tree_.root() + "/absent.pid", Made("daemon.pid", "1", kLater)};
  }
  std::string Made(const std::string& name, const std::string& text, time_t when) const {
    const std::string path = tree_.File(name, text);
    const utimbuf times{when, when};
    ::utime(path.c_str(), &times);
    return path;
  }
  [[nodiscard]] std::vector<std::string> Look() const {
    const Findings findings = CheckFeed(paths_);
    EXPECT_TRUE(EveryProblemHasARemedy(findings));
    return Lines(findings);
  }
  testing::TempTree tree_;
  HostPaths paths_;
};

TEST_F(FeedChecks, AreContentWithAHostThatIsSetUp) { EXPECT_THAT(Look(), Each(StartsWith("ok "))); }

TEST_F(FeedChecks, FindALockDriverThatIsNotNamedOrNotThere) {
  Made("qemu.conf", "lock_manager = \"lockd\"\n", kEarlier);
  EXPECT_THAT(Look(), Contains(HasSubstr("problem lock driver: ")));
  EXPECT_THAT(Look(), Contains(HasSubstr("(lock_manager is 'lockd')")));
  Made("qemu.conf", "lock_manager = \"openhook\"\n", kEarlier);
  ::unlink((tree_.root() + "/openhook.so").c_str());
  EXPECT_THAT(Look(), Contains(HasSubstr("libvirtd does not start without it")));
}

TEST_F(FeedChecks, FindAHookThatIsMissingOrCannotBeExecuted) {
  ::chmod(paths_.hook.c_str(), 0644);
  EXPECT_THAT(Look(), Contains(HasSubstr("cannot be executed")));
  ::unlink(paths_.hook.c_str());
  EXPECT_THAT(Look(), Contains(HasSubstr("nobody starts the brokers")));
}

TEST_F(FeedChecks, FindALibvirtdThatHasNotSeenItsSettings) {
  Made("daemon.pid", "1", kEarlier - 1);
  EXPECT_THAT(Look(), Contains(HasSubstr("problem libvirtd: ")));
  paths_.daemon_pids = {};
  EXPECT_THAT(Look(), Contains(HasSubstr("note libvirtd: ")));
}

TEST_F(FeedChecks, TellOfSettingsThatWeakenMachines) {
  Made("qemu.conf",
       "lock_manager = \"openhook\"\nsecurity_driver = \"none\"\ndynamic_ownership = 0\n"
       "namespaces = []\nseccomp_sandbox = 0\n",
       kEarlier);
  for (const char* word : {"security_driver", "dynamic_ownership", "namespaces", "seccomp"}) {
    EXPECT_THAT(Look(), Contains(HasSubstr(std::string("note qemu.conf: ") + word)));
  }
  EXPECT_THAT(Look(), Not(Contains(StartsWith("problem"))));
}

TEST_F(FeedChecks, FindAHostWithoutLibvirt) {
  paths_.qemu_conf = tree_.root() + "/none";
  EXPECT_THAT(Look(), ElementsAre(StartsWith("problem qemu.conf: cannot open")));
}

TEST(VersionChecks, NameThem) {
  EXPECT_THAT(Lines(CheckVersions("Using library: libvirt 9.0.0\nUsing API: QEMU 9.0.0\n"
                                  "Running hypervisor: QEMU 7.2.22\nRunning against daemon: "
                                  "9.0.0\n")),
              ElementsAre("ok libvirtd: libvirt 9.0.0, QEMU 7.2.22"));
  EXPECT_THAT(Lines(CheckVersions("Running against daemon: 7.0.0\n")),
              ElementsAre("note libvirtd: libvirt 7.0.0; tested is 9.0"));
  EXPECT_THAT(Lines(CheckVersions("")), ElementsAre(StartsWith("note libvirtd:")));
}

}  // namespace
}  // namespace openhook::doctor
