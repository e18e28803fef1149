// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A directory of a test's own, removed with everything in it at the end; and short ways to put
// things there.

#ifndef TESTS_SUPPORT_TEMP_TREE_H_
#define TESTS_SUPPORT_TEMP_TREE_H_

#include <string>
#include <string_view>

namespace openhook::testing {

class TempTree {
 public:
  TempTree();
  ~TempTree();
  TempTree(const TempTree&) = delete;
  TempTree& operator=(const TempTree&) = delete;

  // Real path (no symlinks) of the tree, or of something in it.
  [[nodiscard]] const std::string& root() const { return root_; }
  [[nodiscard]] std::string Path(std::string_view name) const;

  // Each returns the path of what it made. Failing is fatal for the test program.
  std::string File(std::string_view name, std::string_view contents = "") const;
  std::string Directory(std::string_view name) const;
  std::string Symlink(std::string_view name, const std::string& target) const;
  std::string Fifo(std::string_view name) const;

 private:
  std::string root_;
};

std::string ReadAll(int fd);
std::string ReadFile(const std::string& path);

}  // namespace openhook::testing

#endif  // TESTS_SUPPORT_TEMP_TREE_H_
