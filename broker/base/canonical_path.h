// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A path in the one form in which the whitelist knows files. Invariants of a CanonicalPath:
//   - absolute, begins with '/';
//   - no empty component, no ".", no "..", no trailing slash (except "/" itself);
//   - no NUL byte; at most PATH_MAX - 1 = 4095 bytes, each component at most NAME_MAX = 255.
// It says nothing about symlinks: that is the file system's knowledge (broker/fs).
//
// LexicalClean() only removes what means the same to every kernel ("." and doubled slashes).
// "name/.." is not such a thing, since `name` may be a symlink: FoldDotDot() folds it only over
// directories that the caller knows to be real.

#ifndef BROKER_BASE_CANONICAL_PATH_H_
#define BROKER_BASE_CANONICAL_PATH_H_

#include <compare>
#include <functional>
#include <string>
#include <string_view>

#include "broker/base/result.h"

namespace openhook {

class CanonicalPath {
 public:
  // Errors: kInvalidArgument naming the rule that `path` breaks.
  static Result<CanonicalPath> Parse(std::string_view path);

  [[nodiscard]] const std::string& str() const { return path_; }
  [[nodiscard]] const char* c_str() const { return path_.c_str(); }
  [[nodiscard]] bool IsRoot() const { return path_.size() == 1; }

  // The directory that holds it; "/" for "/".
  [[nodiscard]] CanonicalPath Parent() const;
  // The last component; empty for "/".
  [[nodiscard]] std::string_view Name() const;
  // True for `this` itself and for everything below it, by whole components: "/a/bc" is not
  // beneath "/a/b".
  [[nodiscard]] bool Contains(const CanonicalPath& other) const;
  // This path with one more component. Errors: kInvalidArgument for "", ".", "..", a slash or NUL.
  [[nodiscard]] Result<CanonicalPath> Join(std::string_view name) const;

  auto operator<=>(const CanonicalPath&) const = default;

 private:
  explicit CanonicalPath(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// Makes `raw` absolute below `cwd` (which is used only when `raw` is relative), and drops "." and
// doubled slashes. ".." stays. Errors: kInvalidArgument for an empty or over-long path, a NUL byte,
// or a relative path without an absolute cwd.
Result<std::string> LexicalClean(std::string_view raw, std::string_view cwd);

// Folds "dir/.." of a LexicalClean() path, asking `is_real_directory` for each directory that it
// folds over. Returns an empty string when one of them is not known to be real.
std::string FoldDotDot(std::string_view clean,
                       const std::function<bool(std::string_view)>& is_real_directory);

}  // namespace openhook

template <>
struct std::hash<openhook::CanonicalPath> {
  std::size_t operator()(const openhook::CanonicalPath& path) const noexcept {
    return std::hash<std::string>{}(path.str());
  }
};

#endif  // BROKER_BASE_CANONICAL_PATH_H_
