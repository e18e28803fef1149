// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/program_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>

#include "broker/base/text.h"

namespace openhook::fs {

Result<std::string> LinkTarget(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
  if (size < 0) {
    return FailErrno(errno, "cannot read the link " + Quote(path));
  }
  return std::string(target.data(), static_cast<std::size_t>(size));
}

Result<std::string> LinkName(const std::string& path) {
  return LinkTarget(path).map(
      [](const std::string& target) { return target.substr(target.rfind('/') + 1); });
}

bool IsProgram(const std::string& path) {
  struct stat found{};
  return ::stat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode) &&
         ::access(path.c_str(), X_OK) == 0;
}

Result<std::string> FindProgramBeside(const std::string& name, const std::string& installed) {
  const auto own = LinkTarget("/proc/self/exe");
  const std::string directory = own ? own->substr(0, own->rfind('/')) : installed;
  for (const std::string& place : {directory, directory + "/../bin", installed}) {
    std::string candidate = place;
    candidate.append("/").append(name);
    if (IsProgram(candidate)) {
      return candidate;
    }
  }
  return Fail(ErrorCode::kNotFound,
              "cannot find " + name + " beside this program or in " + installed);
}

}  // namespace openhook::fs
