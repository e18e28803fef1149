// SPDX-License-Identifier: LGPL-2.1-or-later
//
// For tests against images that the installed qemu-img makes: a directory for them, and what QEMU
// says of them and opens for them.

#ifndef TESTS_UNIT_IMAGE_REAL_IMAGES_H_
#define TESTS_UNIT_IMAGE_REAL_IMAGES_H_

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "broker/image/chain.h"
#include "broker/image/probe.h"
#include "tests/unit/image/posix_opener.h"

namespace openhook::image {

// A directory of its own for each test, which is also the working directory while it runs.
class RealImages : public ::testing::Test {
 protected:
  RealImages() : home_(std::filesystem::current_path()) {
    std::string name = ::testing::TempDir() + "/chain.XXXXXX";
    directory_ = std::filesystem::canonical(::mkdtemp(name.data()));
    std::filesystem::current_path(directory_);
  }
  ~RealImages() override {
    std::filesystem::current_path(home_);
    std::filesystem::remove_all(directory_);
  }
  RealImages(const RealImages&) = delete;
  RealImages& operator=(const RealImages&) = delete;

  static std::string Output(const std::string& command) {
    std::string output;
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"),
                                                               &::pclose);
    std::array<char, 4096> buffer{};
    while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) {
      output.append(buffer.data(), count);
    }
    return output;
  }
  static void QemuImg(const std::string& arguments) {
    ASSERT_EQ(std::system(("qemu-img " + arguments + " >/dev/null").c_str()), 0) << arguments;
  }
  static void Write(const std::string& name, const std::string& bytes) {
    std::ofstream(name, std::ios::binary) << bytes;
  }

  [[nodiscard]] std::string At(const std::string& name) const {
    return (directory_ / name).string();
  }
  static Result<Header> ReadFile(const std::string& name, Format format) {
    const auto opened = PosixOpener().Open(name);
    return opened ? ReadHeader(*opened->bytes, format) : tl::make_unexpected(opened.error());
  }
  static Result<Chain> Walk(const std::string& name,
                            std::optional<Format> format = Format::kQcow2) {
    PosixOpener opener;
    return WalkChain(opener, name, format);
  }

  // A command that derives a key: qemu-img times the derivation first, and gives up when the
  // kernel's accounting of such a short run shows no time at all ("Unable to get accurate CPU
  // usage"): a matter of luck.
  static void EncryptedQemuImg(const std::string& arguments) {
    int status = 1;
    for (int attempt = 0; attempt < 50 && status != 0; ++attempt) {
      status = std::system(("qemu-img " + arguments + " >/dev/null 2>&1").c_str());
    }
    ASSERT_EQ(status, 0) << arguments;
  }

  // What qemu-img says of `image`; nothing when it cannot open it.
  static nlohmann::json Info(const std::string& image, Format format) {
    return nlohmann::json::parse(
        Output("qemu-img info -f " + std::string(ToString(format)) +
               " --backing-chain --output=json '" + image + "' 2>/dev/null"),
        nullptr, false);
  }

  // The files that qemu-img opens for `image`, as it spells them, of those in this test's
  // directory.
  static std::set<std::string> OpenedByQemu(const std::string& image, Format format) {
    Output("strace -f -qq -o trace -e trace=open,openat qemu-img info -f " +
           std::string(ToString(format)) + " --backing-chain '" + image + "'");
    std::ifstream trace("trace");
    std::set<std::string> names;
    for (std::string line; std::getline(trace, line);) {
      const std::size_t begin = line.find('"') + 1;
      const std::string name = line.substr(begin, line.find('"', begin) - begin);
      if (line.find(" = -1 ") == std::string::npos && std::filesystem::exists(name) &&
          std::filesystem::canonical(name).parent_path().string().starts_with(
              std::filesystem::current_path().string())) {
        names.insert(name);
      }
    }
    return names;
  }

  static std::set<std::string> NamesOf(const Chain& chain) {
    std::set<std::string> names;
    for (const ChainMember& member : chain.members) {
      names.insert(member.name);
    }
    return names;
  }

  // The chain of `image` has exactly the spellings and formats that qemu-img reports.
  static void ExpectQemuAgrees(const std::string& image, std::size_t members,
                               Format format = Format::kQcow2) {
    const auto chain = Walk(image, format);
    ASSERT_TRUE(chain) << chain.error().Message();
    const auto report = Info(image, format);
    ASSERT_EQ(report.size(), members);
    ASSERT_EQ(chain->members.size(), members);
    for (std::size_t i = 0; i < members; ++i) {
      EXPECT_EQ(chain->members[i].name, report[i].at("filename").get<std::string>());
      EXPECT_EQ(ToString(chain->members[i].format), report[i].at("format").get<std::string>());
    }
  }

 private:
  std::filesystem::path home_;
  std::filesystem::path directory_;
};

}  // namespace openhook::image

#endif  // TESTS_UNIT_IMAGE_REAL_IMAGES_H_
