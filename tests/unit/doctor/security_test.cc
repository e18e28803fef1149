// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/doctor/security.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/temp_tree.h"
#include "tests/unit/doctor/findings_text.h"

namespace openhook::doctor {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(ProfileChecks, WantOursEnforcedAndLibvirtdConfined) {
  EXPECT_THAT(Lines(CheckProfiles("libvirtd (enforce)\nlibvirtd//qemu_bridge_helper (enforce)\n"
                                  "openhookd (enforce)\nopenhook-loader (enforce)\n")),
              Each(StartsWith("ok AppArmor")));
  const Findings findings = CheckProfiles("openhookd (complain)\nopenhook-loader-x (enforce)\n");
  EXPECT_TRUE(EveryProblemHasARemedy(findings));
  EXPECT_THAT(Lines(findings),
              ElementsAre("problem AppArmor: the profile openhookd is in mode 'complain', which "
                          "stops nothing",
                          "problem AppArmor: the profile openhook-loader is not loaded",
                          HasSubstr("the profile libvirtd is not loaded")));
}

TEST(HelperChecks, TellWhoMakesProfiles) {
  const testing::TempTree tree;
  HostPaths paths;
  paths.aa_helper = tree.root() + "/helper";
  EXPECT_TRUE(CheckAaHelper(paths).empty());
  tree.Symlink("helper", tree.File("openhook-aa-helper"));
  EXPECT_THAT(Lines(CheckAaHelper(paths)), ElementsAre(StartsWith("ok AppArmor")));
  paths.aa_helper = tree.File("virt-aa-helper");
  EXPECT_THAT(Lines(CheckAaHelper(paths)), ElementsAre(HasSubstr("is libvirt's own")));
}

class DirectoryChecks : public ::testing::Test {
 protected:
  DirectoryChecks() {
    paths_.config_dir = tree_.Directory("etc");
    tree_.Directory("etc/domains");
    paths_.run_dir = tree_.Directory("run");
    paths_.state_dir = tree_.Directory("state");
    for (const std::string& path :
         {paths_.config_dir, paths_.config_dir + "/domains", paths_.run_dir}) {
      ::chmod(path.c_str(), 0755);
    }
    ::chmod(paths_.state_dir.c_str(), 0700);
  }
  testing::TempTree tree_;
  HostPaths paths_;
};

TEST_F(DirectoryChecks, AreContentWithRootsOwn) {
  EXPECT_THAT(Lines(CheckDirectories(paths_)), Each(StartsWith("ok directories")));
}

TEST_F(DirectoryChecks, FindOneThatOthersCanWriteTo) {
  ::chmod(paths_.run_dir.c_str(), 0777);
  EXPECT_THAT(Lines(CheckDirectories(paths_)), Contains(HasSubstr("could take a broker's place")));
}

TEST_F(DirectoryChecks, FindOneThatQemuCannotSearch) {
  ::chmod(paths_.run_dir.c_str(), 0700);
  EXPECT_THAT(Lines(CheckDirectories(paths_)), Contains(HasSubstr("cannot be searched")));
}

TEST_F(DirectoryChecks, ThatAreNotThereYetAreNoProblem) {
  paths_.state_dir += "/absent";
  EXPECT_THAT(Lines(CheckDirectories(paths_)), Contains(StartsWith("note directories")));
}

}  // namespace
}  // namespace openhook::doctor
