// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tests/support/temp_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

namespace openhook::testing {

namespace {

void Require(bool good, const std::string& what) {
  if (!good) {
    std::cerr << "test setup failed: " << what << '\n';
    std::abort();
  }
}

}  // namespace

TempTree::TempTree() {
  std::string name = std::filesystem::temp_directory_path().string() + "/openhook-test-XXXXXX";
  Require(::mkdtemp(name.data()) != nullptr, "mkdtemp");
  root_ = std::filesystem::canonical(name).string();
}

TempTree::~TempTree() {
  std::error_code ignored;
  std::filesystem::remove_all(root_, ignored);
}

std::string TempTree::Path(std::string_view name) const { return root_ + "/" + std::string(name); }

std::string TempTree::File(std::string_view name, std::string_view contents) const {
  std::ofstream out(Path(name), std::ios::binary);
  out << contents;
  out.close();
  Require(out.good(), Path(name));
  return Path(name);
}

std::string TempTree::Directory(std::string_view name) const {
  std::filesystem::create_directories(Path(name));
  return Path(name);
}

std::string TempTree::Symlink(std::string_view name, const std::string& target) const {
  std::filesystem::create_symlink(target, Path(name));
  return Path(name);
}

std::string TempTree::Fifo(std::string_view name) const {
  Require(::mkfifo(Path(name).c_str(), S_IRUSR | S_IWUSR) == 0, "mkfifo");
  return Path(name);
}

std::string ReadAll(int fd) {
  std::string contents;
  std::array<char, 4096> chunk{};
  ssize_t got = 0;
  while ((got = ::pread(fd, chunk.data(), chunk.size(), static_cast<off_t>(contents.size()))) > 0) {
    contents.append(chunk.data(), static_cast<std::size_t>(got));
  }
  return contents;
}

std::string ReadFile(const std::string& path) {
  std::ostringstream contents;
  contents << std::ifstream(path, std::ios::binary).rdbuf();
  return contents.str();
}

}  // namespace openhook::testing
