// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Every file of the fuzz corpus, through the function that the fuzz target calls.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/fuzz/domain_target.h"

namespace openhook::domain {
namespace {

TEST(Corpus, Domain) {
  int accepted = 0;
  int refused = 0;
  for (const auto& entry : std::filesystem::directory_iterator(OPENHOOK_CORPUS "/fuzz_domain")) {
    std::ostringstream content;
    content << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    const std::string name = entry.path().filename();
    const Planned planned = FuzzDomain(content.str());
    if (name.starts_with("accepted-")) {
      EXPECT_EQ(planned, Planned::kAccepted) << name;
      ++accepted;
    } else {
      EXPECT_EQ(planned, Planned::kRefused) << name;
      ++refused;
    }
  }
  EXPECT_GT(accepted, 10);
  EXPECT_GT(refused, 5);
}

}  // namespace
}  // namespace openhook::domain
