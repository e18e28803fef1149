// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/base/canonical_path.h"

#include <climits>
#include <vector>

#include "broker/base/text.h"

namespace openhook {

namespace {

std::vector<std::string_view> Components(std::string_view path) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  while (begin < path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    if (end > begin) {
      parts.push_back(path.substr(begin, end - begin));
    }
    begin = end + 1;
  }
  return parts;
}

// nullptr when `name` may stand between two slashes of a canonical path, else the broken rule.
const char* ComponentFault(std::string_view name) {
  if (name.empty()) {
    return "it has an empty component (a doubled or trailing slash)";
  }
  if (name == "." || name == "..") {
    return "it has a '.' or '..' component";
  }
  if (name.size() > NAME_MAX) {
    return "a component is longer than 255 bytes";
  }
  if (name.find('\0') != std::string_view::npos) {
    return "it has a NUL byte";
  }
  return nullptr;
}

}  // namespace

Result<CanonicalPath> CanonicalPath::Parse(std::string_view path) {
  const auto fault = [&](const char* rule) {
    return Fail(ErrorCode::kInvalidArgument, "not a canonical path: " + Quote(path) + ": " + rule);
  };
  if (path.empty() || path.front() != '/') {
    return fault("it does not begin with '/'");
  }
  if (path.size() >= PATH_MAX) {
    return fault("it is longer than 4095 bytes");
  }
  if (path.size() == 1) {
    return CanonicalPath("/");
  }
  for (std::size_t begin = 1; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    if (const char* rule = ComponentFault(path.substr(begin, end - begin))) {
      return fault(rule);
    }
    begin = end + 1;
  }
  // A trailing slash leaves nothing behind it to look at.
  if (path.back() == '/') {
    return fault("it ends with a slash");
  }
  return CanonicalPath(std::string(path));
}

CanonicalPath CanonicalPath::Parent() const {
  const std::size_t slash = path_.rfind('/');
  return CanonicalPath(slash == 0 ? "/" : path_.substr(0, slash));
}

std::string_view CanonicalPath::Name() const {
  return std::string_view(path_).substr(path_.rfind('/') + 1);
}

bool CanonicalPath::Contains(const CanonicalPath& other) const {
  if (IsRoot()) {
    return true;
  }
  return other.path_.starts_with(path_) &&
         (other.path_.size() == path_.size() || other.path_[path_.size()] == '/');
}

Result<CanonicalPath> CanonicalPath::Join(std::string_view name) const {
  if (ComponentFault(name) != nullptr || name.find('/') != std::string_view::npos) {
    return Fail(ErrorCode::kInvalidArgument, "not a file name: " + Quote(name));
  }
  return Parse((IsRoot() ? "" : path_) + "/" + std::string(name));
}

namespace {

// Nothing in it to drop: the usual case, on the way of every open.
bool IsLexicallyClean(std::string_view path) {
  return path.find("//") == std::string_view::npos && path.find("/./") == std::string_view::npos &&
         !path.ends_with('/') && !path.ends_with("/.");
}

}  // namespace

Result<std::string> LexicalClean(std::string_view raw, std::string_view cwd) {
  if (raw.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "the path is empty");
  }
  const bool relative = raw.front() != '/';
  if (relative && (cwd.empty() || cwd.front() != '/')) {
    return Fail(ErrorCode::kInvalidArgument, "the path " + Quote(raw) +
                                                 " is relative and no absolute working directory "
                                                 "came with it");
  }
  if (raw.find('\0') != std::string_view::npos || cwd.find('\0') != std::string_view::npos) {
    return Fail(ErrorCode::kInvalidArgument, "the path has a NUL byte: " + Quote(raw));
  }
  if (raw.size() + (relative ? cwd.size() + 1 : 0) >= PATH_MAX) {
    return Fail(ErrorCode::kInvalidArgument, "the path is longer than 4095 bytes");
  }
  if (!relative && IsLexicallyClean(raw)) {
    return std::string(raw);
  }
  std::string clean;
  const auto append = [&clean](std::string_view path) {
    for (const std::string_view part : Components(path)) {
      if (part != ".") {
        clean += '/';
        clean += part;
      }
    }
  };
  if (relative) {
    append(cwd);
  }
  append(raw);
  return clean.empty() ? std::string("/") : clean;
}

std::string FoldDotDot(std::string_view clean,
                       const std::function<bool(std::string_view)>& is_real_directory) {
  std::string folded;
  for (const std::string_view part : Components(clean)) {
    if (part != "..") {
      folded += '/';
      folded += part;
      continue;
    }
    if (folded.empty()) {
      continue;  // "/.." is "/", by POSIX path resolution
    }
    if (!is_real_directory(folded)) {
      return {};
    }
    folded.resize(folded.rfind('/'));
  }
  return folded.empty() ? std::string("/") : folded;
}

}  // namespace openhook
