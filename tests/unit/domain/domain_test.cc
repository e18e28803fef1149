// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whole definitions: who it is, what is not known, raw arguments, limits.

#include "broker/domain/domain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/base/limits.h"
#include "tests/unit/domain/plan_text.h"

namespace openhook::domain {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Domain, TellsNameUuidAndTheNameOfARunningMachine) {
  const auto plan = PlanDomain(
      "<domain type='kvm' id='12'><name>a-name-of-more-than-twenty-bytes</name>"
      "<uuid>11111111-2222-3333-4444-555555555555</uuid></domain>",
      CommandLine::kWarn);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->name, "a-name-of-more-than-twenty-bytes");
  EXPECT_EQ(plan->uuid, "11111111-2222-3333-4444-555555555555");
  EXPECT_EQ(plan->short_name, "12-a-name-of-more-than-");
}

TEST(Domain, AShortNameIsNotCutWithinACharacter) {
  const auto plan =
      PlanDomain("<domain id='1'><name>1234567890123456789ü</name></domain>", CommandLine::kWarn);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->short_name, "1-1234567890123456789");
}

TEST(Domain, OnlyKvmHasItsDevice) {
  EXPECT_THAT(PlanLines("<domain type='kvm'><name>a</name></domain>"),
              ElementsAre("read-write char /dev/kvm [kvm]"));
  EXPECT_THAT(PlanLines("<domain type='qemu'><name>a</name></domain>"), IsEmpty());
  EXPECT_THAT(PlanLines("<domain type='xen'><name>a</name></domain>"), ElementsAre("! domain"));
}

TEST(Domain, EveryArchitectureIsPlannedAlike) {
  for (const char* type : {"<type arch='x86_64' machine='q35'>hvm</type>",
                           "<type arch='aarch64' machine='virt'>hvm</type>",
                           "<type arch='s390x' machine='s390-ccw-virtio'>hvm</type>",
                           "<type arch='ppc64le' machine='pseries'>hvm</type>",
                           "<type arch='riscv64' machine='virt'>hvm</type>",
                           "<type arch='i686' machine='pc'>hvm</type>",
                           "<type arch='armv7l' machine='vexpress-a15'>hvm</type>",
                           "<type arch='sparc' machine='SS-5'>hvm</type>"}) {
    EXPECT_THAT(PlanLines("<domain type='qemu'><name>a</name><os>" + std::string(type) +
                          "<kernel>/b/k</kernel></os></domain>"),
                ElementsAre("read file /b/k [kernel]"))
        << type;
  }
}

TEST(Domain, UnknownElementsAreWarnedAboutAndStopNothing) {
  EXPECT_THAT(PlanLines("<domain type='qemu'><name>a</name><warp speed='9'/><os>"
                        "<kernel>/b/k</kernel><flux/></os><features><acpi/></features>"
                        "<metadata><x xmlns='urn:x'><devices><disk/></devices></x></metadata>"
                        "<foreign xmlns='urn:y'/></domain>"),
              ElementsAre("read file /b/k [kernel]", "! domain"));
}

TEST(Domain, ElementsOfOtherNamespacesAreNobodys) {
  EXPECT_THAT(PlanLines(WithDevices("<x:disk xmlns:x='urn:x'><source file='/etc/x'/></x:disk>"
                                    "<disk><x:source xmlns:x='urn:x' file='/etc/y'/></disk>")),
              IsEmpty());
}

std::string Arguments(std::string_view arguments) {
  return "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
         "<name>a</name><qemu:commandline>" +
         std::string(arguments) + "<qemu:env name='X' value='/e'/></qemu:commandline></domain>";
}

TEST(Domain, RawArgumentsAreWarnedAboutByArgumentAndFile) {
  const auto plan =
      PlanDomain(Arguments("<qemu:arg value='-fw_cfg'/>"
                           "<qemu:arg value='name=opt/com.coreos/config,file=/vm/ign.json'/>"),
                 CommandLine::kWarn);
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->files, IsEmpty());
  ASSERT_EQ(plan->warnings.size(), 1U);
  EXPECT_THAT(plan->warnings[0],
              testing::AllOf(HasSubstr("'name=opt/com.coreos/config,file=/vm/ign.json'"),
                             HasSubstr("'/vm/ign.json'"), HasSubstr("not granted")));
}

TEST(Domain, RawArgumentsAreGrantedWhenAskedFor) {
  const std::string xml = Arguments(
      "<qemu:arg value='{\"driver\":\"file\",\"filename\":\"/vm/a b\"}'/>"
      "<qemu:arg value='/vm/c'/><qemu:arg value='file:/vm/d'/>"
      "<qemu:arg value='nbd://host/x'/><qemu:arg value='a/b'/><qemu:arg value='/'/>");
  EXPECT_THAT(
      PlanLines(xml, CommandLine::kRead),
      ElementsAre("read file /vm/a [qemu:commandline]", "read file /vm/c [qemu:commandline]",
                  "read file /vm/d [qemu:commandline]", "! qemu", "! qemu", "! qemu"));
  EXPECT_THAT(PlanLines(Arguments("<qemu:arg value='/vm/c'/>"), CommandLine::kReadWrite),
              ElementsAre("read-write file /vm/c [qemu:commandline]", "! qemu"));
}

TEST(Domain, ANameMayBeMissing) {
  EXPECT_THAT(PlanLines("<domain type='qemu'/>"), ElementsAre("! domain"));
}

TEST(Domain, AnotherRootElementIsNoDomain) {
  for (const char* xml : {"<network/>", "<domain xmlns='urn:x'/>", "<domainsnapshot/>"}) {
    const auto plan = PlanDomain(xml, CommandLine::kWarn);
    ASSERT_FALSE(plan) << xml;
    EXPECT_EQ(plan.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(Domain, AnOverlongPathIsRefused) {
  const std::string path(5000, 'x');
  const auto plan =
      PlanDomain(WithDevices("<disk><source file='/" + path + "'/><target dev='vda'/></disk>"),
                 CommandLine::kWarn);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->refused.size(), 1U);
}

TEST(Domain, ADefinitionThatWantsTooMuchIsRefused) {
  std::string disks;
  for (std::size_t i = 0; i <= limits::kMaxPlanned; ++i) {
    disks += "<disk><source file='/v/" + std::to_string(i) + "'/></disk>";
  }
  const auto plan = PlanDomain(WithDevices(disks), CommandLine::kWarn);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::kLimit);
}

TEST(Domain, AChainOfTwoHundredImagesIsReadToItsEnd) {
  std::string xml = "<disk><driver type='qcow2'/><source file='/v/0'/>";
  for (int i = 1; i <= 200; ++i) {
    xml += "<backingStore type='file'><format type='qcow2'/><source file='/v/" + std::to_string(i) +
           "'/>";
  }
  xml += "<backingStore/>";
  for (int i = 1; i <= 200; ++i) {
    xml += "</backingStore>";
  }
  EXPECT_EQ(PlanLines(WithDevices(xml + "</disk>")).size(), 201U);
}

}  // namespace
}  // namespace openhook::domain
