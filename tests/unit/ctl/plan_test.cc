// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhookctl plan, with the real openhook-plan and real images.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <nlohmann/json.hpp>

#include "tests/support/temp_tree.h"
#include "tests/unit/ctl/run_ctl.h"

namespace openhook::ctl {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Plan : public ::testing::Test {
 protected:
  std::string Definition(const std::string& devices, const std::string& head = "") const {
    return tree_.File("domain.xml",
                      "<domain type='qemu'><name>vm1</name>"
                      "<uuid>11111111-2222-3333-4444-555555555555</uuid>" +
                          head + "<devices>" + devices + "</devices></domain>");
  }
  static std::string Disk(const std::string& path, const std::string& format,
                          const std::string& inside = "") {
    return "<disk type='file'><driver type='" + format + "'/><source file='" + path + "'/>" +
           inside + "<target dev='vda'/></disk>";
  }
  // A qcow2 image that names what is behind it, as its header says it.
  std::string Qcow2(const std::string& name, const std::string& backing) const {
    std::string header = Big(0x514649fb, 4) + Big(3, 4);
    header += backing.empty() ? Big(0, 8) + Big(0, 4) : Big(128, 8) + Big(backing.size(), 4);
    header += Big(16, 4) + Big(1 << 20, 8) + Big(0, 4) + Big(1, 4) + Big(65536, 8) +
              Big(131072, 8) + Big(1, 4) + Big(0, 4) + Big(0, 8) + Big(0, 24) + Big(4, 4) +
              Big(104, 4);
    if (!backing.empty()) {
      header += Big(0xe2792aca, 4) + Big(3, 4) + "raw" + std::string(5, '\0');
    }
    header += Big(0, 8);
    header.resize(128, '\0');
    header += backing;
    header.resize(196608, '\0');
    return tree_.File(name, header);
  }
  static json Parsed(const CtlRun& run) { return json::parse(run.out); }

  testing::TempTree tree_;

 private:
  static std::string Big(std::uint64_t value, std::size_t bytes) {
    std::string text(bytes, '\0');
    for (std::size_t i = bytes; i-- > 0 && value != 0; value >>= 8) {
      text[i] = static_cast<char>(value & 0xff);
    }
    return text;
  }
};

std::vector<std::string> Summary(const json& plan) {
  std::vector<std::string> lines;
  for (const json& grant : plan["grants"]) {
    lines.push_back(grant["access"].get<std::string>() + " " + grant["kind"].get<std::string>() +
                    " " + grant["path"].get<std::string>() + " " +
                    std::to_string(grant["depth"].get<int>()) + " " +
                    (grant["exists"].get<bool>() ? "there" : "absent"));
  }
  return lines;
}

TEST_F(Plan, HasTheDocumentedShape) {
  const std::string image = tree_.File("a.img");
  const auto run = RunCtl({"plan", Definition(Disk(image, "raw")), "--json"});
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(run.err, "");
  EXPECT_EQ(Parsed(run), json({{"uuid", "11111111-2222-3333-4444-555555555555"},
                               {"name", "vm1"},
                               {"grants",
                                {{{"path", image},
                                  {"requested", image},
                                  {"access", "read-write"},
                                  {"kind", "file"},
                                  {"source", "disk vda"},
                                  {"depth", 0},
                                  {"format", "raw"},
                                  {"exists", true},
                                  {"role", "image"},
                                  {"disk", "vda"},
                                  {"shareable", false}}}},
                               {"network", json::array()},
                               {"warnings", json::array()},
                               {"refused", json::array()}}));
}

TEST_F(Plan, WorksForFilesThatAreNotOnThisHost) {
  const auto run = RunCtl({"plan", Definition(Disk("/nowhere/a.img", "raw")), "--json"});
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(Summary(Parsed(run)), ElementsAre("read-write file /nowhere/a.img 0 absent"));
}

TEST_F(Plan, WithoutBackingStoreTheHeadersAreFollowed) {
  const std::string base = tree_.File("base.img", std::string(4096, 'x'));
  const std::string top = Qcow2("top.qcow2", base);
  const auto run = RunCtl({"plan", Definition(Disk(top, "qcow2")), "--json"});
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(Summary(Parsed(run)),
              ElementsAre("read-write file " + top + " 0 there", "read file " + base + " 1 there"));
}

TEST_F(Plan, APartialChainGoesOnWhereTheDefinitionEnds) {
  const std::string base = tree_.File("base.img", std::string(4096, 'x'));
  const std::string mid = Qcow2("mid.qcow2", base);
  const auto run = RunCtl({"plan",
                           Definition(Disk("/nowhere/top", "qcow2",
                                           "<backingStore type='file'><format type='qcow2'/>"
                                           "<source file='" +
                                               mid + "'/></backingStore>")),
                           "--json"});
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(Summary(Parsed(run)),
              ElementsAre("read-write file /nowhere/top 0 absent", "read file " + mid + " 1 there",
                          "read file " + base + " 2 there"));
}

TEST_F(Plan, AnExplicitEndIsBelievedNotTheHeader) {
  const std::string base = tree_.File("base.img", std::string(4096, 'x'));
  const std::string top = Qcow2("top.qcow2", base);
  const auto run = RunCtl({"plan", Definition(Disk(top, "qcow2", "<backingStore/>")), "--json"});
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(Summary(Parsed(run)), ElementsAre("read-write file " + top + " 0 there"));
}

TEST_F(Plan, AHeaderThatLeadsToSomethingForbiddenIsRefused) {
  const std::string top = Qcow2("top.qcow2", "/etc/passwd");
  const auto run = RunCtl({"plan", Definition(Disk(top, "qcow2")), "--json"});
  EXPECT_EQ(run.status, 1);
  EXPECT_THAT(run.err, HasSubstr("'/etc/passwd' is never given to a machine"));
  EXPECT_THAT(Summary(Parsed(run)), ElementsAre("read-write file " + top + " 0 there"));
  EXPECT_EQ(Parsed(run)["refused"][0]["path"], "/etc/passwd");
}

TEST_F(Plan, AChainThatCannotBeReadIsNoSuccess) {
  const std::string top = Qcow2("top.qcow2", tree_.Path("gone"));
  const auto run = RunCtl({"plan", Definition(Disk(top, "qcow2")), "--json"});
  EXPECT_EQ(run.status, 1);
  EXPECT_THAT(run.err, HasSubstr("gone"));
}

TEST_F(Plan, ASymlinkIsPlannedUnderItsRealNameAndItsOwn) {
  const std::string real = tree_.File("real.img");
  const std::string link = tree_.Symlink("link.img", real);
  const auto run = RunCtl({"plan", Definition(Disk(link, "raw")), "--json"});
  EXPECT_EQ(Parsed(run)["grants"][0]["path"], real);
  EXPECT_EQ(Parsed(run)["grants"][0]["requested"], link);
}

TEST_F(Plan, ASymlinkOrDotsIntoTheForbiddenAreRefused) {
  const std::string link = tree_.Symlink("innocent.img", "/etc/shadow");
  for (const std::string& path : {link, std::string("/usr/../etc/shadow"),
                                  std::string("/etc/./shadow"), std::string("//etc//shadow")}) {
    const auto run = RunCtl({"plan", Definition(Disk(path, "raw")), "--json"});
    EXPECT_EQ(run.status, 1) << path;
    EXPECT_THAT(run.err, HasSubstr("host's configuration")) << path;
    EXPECT_THAT(Summary(Parsed(run)), IsEmpty()) << path;
  }
}

TEST_F(Plan, DotsThatMeanNothingHereAreRefused) {
  const auto run = RunCtl({"plan", Definition(Disk("/nowhere/../etc/shadow", "raw")), "--json"});
  EXPECT_EQ(run.status, 1);
  EXPECT_THAT(run.err, HasSubstr("'..'"));
}

TEST_F(Plan, WhatTheAppArmorHelperLetsThroughIsRefused) {
  for (const char* path : {"/dev/mem", "/root/x.img", "/home/u/.ssh/id_rsa", "/root/.bashrc",
                           "/var/lib/openhook/x.db", "/var/lib/libvirt/qemu/save/other.save"}) {
    const auto run = RunCtl({"plan", Definition(Disk(path, "raw")), "--json"});
    EXPECT_EQ(run.status, 1) << path;
    EXPECT_THAT(Summary(Parsed(run)), IsEmpty()) << path;
  }
}

TEST_F(Plan, ANodeOfTheHostsMemoryIsRefusedUnderAnyName) {
  const std::string node = tree_.Path("innocent.img");
  ASSERT_EQ(::mknod(node.c_str(), S_IFCHR | 0600, makedev(1, 1)), 0) << "needs root";
  const auto run = RunCtl({"plan", Definition(Disk(node, "raw")), "--json"});
  EXPECT_EQ(run.status, 1);
  EXPECT_THAT(run.err, HasSubstr("host's memory"));
}

TEST_F(Plan, TheListOfForbiddenPathsIsTheAdministrators) {
  const std::string image = tree_.File("a.img");
  const std::string list =
      tree_.File("list", "default\nnever " + tree_.root() + " it is being cleaned up\n");
  const auto run = RunCtl({"plan", Definition(Disk(image, "raw")), "--forbid", list});
  EXPECT_EQ(run.status, 1);
  EXPECT_THAT(run.err, HasSubstr("it is being cleaned up"));
  const auto bad = RunCtl({"plan", Definition(""), "--forbid", tree_.File("bad", "perhaps /x\n")});
  EXPECT_EQ(bad.status, 1);
  EXPECT_EQ(bad.out, "");
  EXPECT_THAT(bad.err, HasSubstr("line 1 of the list"));
  EXPECT_THAT(RunCtl({"plan", "--show-forbidden"}).out, HasSubstr("never      /proc "));
}

TEST_F(Plan, WhatIsThereSaysWhatItIs) {
  const std::string directory = tree_.Directory("d");
  const auto run = RunCtl({"plan",
                           Definition("<serial type='dev'><source path='/dev/null'/></serial>" +
                                      Disk(directory, "raw")),
                           "--json"});
  EXPECT_THAT(Summary(Parsed(run)), ElementsAre("read-write char /dev/null 0 there",
                                                "read-write directory " + directory + " 0 there"));
}

TEST_F(Plan, AFallbackThatIsNotThereIsLeftOut) {
  const std::string serial =
      "<serial type='pipe'><source path='" + tree_.Path("p") + "'/></serial>";
  const auto run = RunCtl({"plan", Definition(serial), "--json"});
  EXPECT_EQ(Parsed(run)["grants"].size(), 2U);
  tree_.Fifo("p");
  EXPECT_EQ(Parsed(RunCtl({"plan", Definition(serial), "--json"}))["grants"].size(), 3U);
}

TEST_F(Plan, ADeviceThatTheHostDoesNotKnowIsWarnedAbout) {
  const auto run = RunCtl({"plan",
                           Definition("<hostdev type='pci'><source><address domain='0xfff0' "
                                      "bus='1'/></source></hostdev>"),
                           "--json"});
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(Summary(Parsed(run)), ::testing::SizeIs(1));
  EXPECT_THAT(Parsed(run)["warnings"][0].get<std::string>(), HasSubstr("fff0:01:00.0"));
}

TEST_F(Plan, ForPeopleItIsATable) {
  const std::string image = tree_.File("a\n.img");
  const auto run =
      RunCtl({"plan", Definition(Disk(tree_.root() + "/a&#10;.img", "raw") + "<warp/>")});
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("ACCESS"));
  EXPECT_THAT(run.out, HasSubstr("a\\x0a.img"));
  EXPECT_THAT(run.err, HasSubstr("warning: devices: the element <warp> is not known"));
}

TEST_F(Plan, BytesThatAreNotUtf8AreExactInTheirHex) {
  // XML cannot carry them; a header can.
  const std::string base = tree_.File("ba\xffse", std::string(4096, 'x'));
  const std::string top = Qcow2("top.qcow2", base);
  const auto run = RunCtl({"plan", Definition(Disk(top, "qcow2")), "--json"});
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(Parsed(run)["grants"][1]["path_hex"].get<std::string>(), HasSubstr("6261ff7365"));
}

TEST_F(Plan, WhatIsNoDefinitionGetsOneError) {
  for (const char* text : {"", "<domain", "<network/>", "<!DOCTYPE x><domain/>", "\xff"}) {
    const auto run = RunCtl({"plan", tree_.File("bad.xml", text), "--json"});
    EXPECT_EQ(run.status, 1) << text;
    EXPECT_EQ(run.out, "") << text;
    EXPECT_THAT(run.err, ::testing::StartsWith("openhookctl: the definition")) << text;
    EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
  }
  EXPECT_EQ(RunCtl({"plan", tree_.Path("absent")}).status, 1);
  EXPECT_EQ(RunCtl({"plan"}).status, 2);
  EXPECT_EQ(RunCtl({"plan", "x", "--commandline", "all"}).status, 2);
}

}  // namespace
}  // namespace openhook::ctl
