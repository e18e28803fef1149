// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The program as libvirtd runs it, dry: on a definition, with its output and exit status.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace openhook::aa_helper {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kName[] = "libvirt-11111111-2222-3333-4444-555555555555";

struct Outcome {
  int status = -1;
  std::string told;
};

class HelperProcess : public testing::Test {
 protected:
  HelperProcess() : directory_(testing::TempDir() + "aa-helper-" + std::to_string(::getpid())) {
    std::filesystem::create_directories(directory_);
    std::ofstream(directory_ + "/a.img") << "x";
  }
  ~HelperProcess() override { std::filesystem::remove_all(directory_); }

  Outcome Run(const std::string& options, const std::string& disk) const {
    const std::string file = directory_ + "/vm.xml";
    std::ofstream(file)
        << "<domain type='" + type_ +
               "'><name>vm1</name>"
               "<uuid>11111111-2222-3333-4444-555555555555</uuid>"
               "<memory>65536</memory><os><type arch='x86_64'>hvm</type></os><devices>"
               "<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
               "<source file='" +
               disk + "'/><target dev='vda'/>" + more_ + "</disk></devices></domain>";
    FILE* helper = ::popen(
        (std::string(AA_HELPER_PROGRAM) + " " + options + " < " + file + " 2>&1").c_str(), "r");
    Outcome outcome;
    for (int byte = std::fgetc(helper); byte != EOF; byte = std::fgetc(helper)) {
      outcome.told += static_cast<char>(byte);
    }
    outcome.status = WEXITSTATUS(::pclose(helper));
    return outcome;
  }

  [[nodiscard]] Outcome Dry(const std::string& disk, const std::string& extra = "") const {
    return Run("-r -d -u " + std::string(kName) + " " + extra, disk);
  }

  std::string directory_;
  std::string type_ = "kvm";
  std::string more_;
};

TEST_F(HelperProcess, ShowsRulesAsTheOriginalDoes) {
  const Outcome outcome = Dry(directory_ + "/a.img");
  EXPECT_EQ(outcome.status, 0) << outcome.told;
  EXPECT_THAT(outcome.told,
              HasSubstr(std::string("virt-aa-helper:\n/etc/apparmor.d/libvirt/") + kName +
                        ".files\nvirt-aa-helper:\n  \"/var/log/libvirt/**/vm1.log\" w,\n"));
  EXPECT_THAT(outcome.told, HasSubstr("  \"" + directory_ + "/a.img\" rwk,\n"));
  EXPECT_THAT(outcome.told, Not(HasSubstr("deny")));
}

TEST_F(HelperProcess, AMirrorWithoutAJobIsNoReasonToFail) {
  more_ = "<mirror type='file' job='' ready='yes'><format type='raw'/><source file='" + directory_ +
          "/b.img'/></mirror>";
  const Outcome outcome = Dry(directory_ + "/a.img");
  EXPECT_EQ(outcome.status, 0) << outcome.told;
  EXPECT_THAT(outcome.told, HasSubstr("/b.img\" rwk,\n"));
}

TEST_F(HelperProcess, AFileMoreIsShownAlone) {
  const Outcome outcome = Dry(directory_ + "/a.img", "-F " + directory_ + "/b");
  EXPECT_EQ(outcome.status, 0) << outcome.told;
  EXPECT_THAT(outcome.told, HasSubstr("  \"" + directory_ + "/b\" rwk,\n"));
  EXPECT_THAT(outcome.told, Not(HasSubstr("a.img")));
}

// As libvirt says of the directory that a machine's memory is in.
TEST_F(HelperProcess, ADirectoryIsAppendedWithAllBelowIt) {
  const Outcome outcome = Dry(directory_ + "/a.img", "-F '" + directory_ + "/{,**}'");
  EXPECT_EQ(outcome.status, 0) << outcome.told;
  EXPECT_THAT(outcome.told, HasSubstr("  \"" + directory_ + "/{,**}\" rwk,\n"));
}

TEST_F(HelperProcess, AnImageThatIsNamedLikeAllBelowIsThatImageAlone) {
  std::ofstream(directory_ + "/{,**}") << "x";
  const Outcome outcome = Dry(directory_ + "/a.img", "-F '" + directory_ + "/{,**}'");
  EXPECT_EQ(outcome.status, 0) << outcome.told;
  EXPECT_THAT(outcome.told, HasSubstr("  \"" + directory_ + "/\\173\\054\\052\\052\\175\" rwk,\n"));
}

TEST_F(HelperProcess, RefusesWhatIsTheHosts) {
  for (const char* path : {"/etc/passwd", "/dev/mem", "/root/x.img", "/proc/1/mem"}) {
    const Outcome outcome = Dry(path);
    EXPECT_EQ(outcome.status, 1) << path;
    EXPECT_THAT(outcome.told, HasSubstr("skipped restricted file"));
  }
  EXPECT_EQ(Dry(directory_ + "/a.img", "-F /etc/passwd").status, 1);
}

TEST_F(HelperProcess, ASymlinkIsJudgedByWhereItLeads) {
  std::filesystem::create_symlink("/etc/passwd", directory_ + "/link.img");
  EXPECT_EQ(Dry(directory_ + "/link.img").status, 1);
}

TEST_F(HelperProcess, ARelativeFileIsSkippedWithAWarning) {
  const Outcome outcome = Dry(directory_ + "/a.img", "-F a.img");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.told, HasSubstr("skipped non-absolute path"));
}

TEST_F(HelperProcess, AContainerIsNotForIt) {
  type_ = "lxc";
  const Outcome outcome = Dry(directory_ + "/a.img");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.told, HasSubstr("divert-aa-helper restore"));
}

TEST_F(HelperProcess, AnotherMachinesDefinitionIsRefused) {
  const Outcome outcome =
      Run("-r -d -u libvirt-11111111-2222-3333-4444-555555555556", directory_ + "/a.img");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.told, HasSubstr("given uuid does not match XML uuid"));
}

}  // namespace
}  // namespace openhook::aa_helper
