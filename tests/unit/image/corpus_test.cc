// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Every file of the fuzz corpora, through the function that the fuzz target calls. The file names
// say what is expected of it.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/fuzz/image_targets.h"

namespace openhook::image {
namespace {

using Target = Verdict (*)(std::string_view);

std::string Content(const std::filesystem::path& path) {
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return content.str();
}

void RunCorpus(const char* name, Target target) {
  int accepted = 0;
  int refused = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(OPENHOOK_CORPUS) / name)) {
    const std::string file = entry.path().filename();
    const Verdict verdict = target(Content(entry.path()));
    if (file.starts_with("accepted-")) {
      EXPECT_EQ(verdict, Verdict::kAccepted) << file;
      ++accepted;
    } else {
      EXPECT_TRUE(file.starts_with("refused-")) << "the name must begin with a verdict: " << file;
      EXPECT_EQ(verdict, Verdict::kRefused) << file;
      ++refused;
    }
  }
  EXPECT_GT(accepted, 0) << name;
  EXPECT_GT(refused, 0) << name;
}

TEST(Corpus, Qcow2) { RunCorpus("fuzz_qcow2", FuzzQcow2); }
TEST(Corpus, Qed) { RunCorpus("fuzz_qed", FuzzQed); }
TEST(Corpus, Qcow) { RunCorpus("fuzz_qcow", FuzzQcow); }
TEST(Corpus, Vmdk) { RunCorpus("fuzz_vmdk", FuzzVmdk); }
TEST(Corpus, Vhdx) { RunCorpus("fuzz_vhdx", FuzzVhdx); }
TEST(Corpus, Vpc) { RunCorpus("fuzz_vpc", FuzzVpc); }
TEST(Corpus, Vdi) { RunCorpus("fuzz_vdi", FuzzVdi); }
TEST(Corpus, Parallels) { RunCorpus("fuzz_parallels", FuzzParallels); }
TEST(Corpus, Luks) { RunCorpus("fuzz_luks", FuzzLuks); }
TEST(Corpus, Bochs) { RunCorpus("fuzz_bochs", FuzzBochs); }
TEST(Corpus, Cloop) { RunCorpus("fuzz_cloop", FuzzCloop); }
TEST(Corpus, Dmg) { RunCorpus("fuzz_dmg", FuzzDmg); }
TEST(Corpus, Probe) { RunCorpus("fuzz_probe", FuzzProbe); }
TEST(Corpus, BackingName) { RunCorpus("fuzz_backing_name", FuzzBackingName); }
TEST(Corpus, Chain) { RunCorpus("fuzz_chain", FuzzChain); }

}  // namespace
}  // namespace openhook::image
