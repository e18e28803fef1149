// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/whole_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <vector>

#include "broker/base/text.h"
#include "broker/base/unique_fd.h"

namespace openhook::fs {

namespace {

Result<std::string> ReadToEnd(const UniqueFd& file, const std::string& who, std::size_t limit) {
  std::string text;
  std::vector<char> buffer(std::size_t{64} << 10);
  for (;;) {
    const ssize_t got = ::read(file.Get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return FailErrno(errno, "cannot read " + who);
    }
    if (got == 0) {
      return text;
    }
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > limit) {
      return Fail(ErrorCode::kLimit, who + " is longer than " + std::to_string(limit) + " bytes");
    }
  }
}

}  // namespace

Result<std::string> ReadWholeFile(const std::string& path, std::size_t limit) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file.IsValid()) {
    return FailErrno(errno, "cannot open " + Quote(path));
  }
  return ReadToEnd(file, Quote(path), limit);
}

Result<std::string> ReadStandardInput(std::size_t limit) {
  const UniqueFd input(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
  return ReadToEnd(input, "standard input", limit);
}

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
