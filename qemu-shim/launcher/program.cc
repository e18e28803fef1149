// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/launcher/program.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <sstream>
#include <vector>

#include "broker/base/text.h"
#include "qemu-shim/launcher/greeting.h"

namespace openhook::launcher {

namespace {

constexpr const char* kLibraryName = "libopenhook-preload.so";
constexpr const char* kNotifierName = "openhook-notifier";

bool IsFile(const std::string& path) {
  struct stat found{};
  return ::stat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode);
}

bool IsReadable(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)).IsValid();
}

std::vector<std::string> Candidates(const std::string& name, const std::string& search_path) {
  if (name.find('/') != std::string::npos) {
    return {name};
  }
  std::vector<std::string> candidates;
  std::istringstream directories(search_path);
  for (std::string directory; std::getline(directories, directory, ':');) {
    // An empty element of PATH is the working directory, by POSIX.
    candidates.push_back((directory.empty() ? "." : directory) + "/" + name);
  }
  return candidates;
}

// The directory of this program; empty where /proc is missing.
std::string OwnDirectory() {
  char path[PATH_MAX];
  const ssize_t size = ::readlink("/proc/self/exe", path, sizeof(path));
  const std::string own(path, size > 0 ? static_cast<std::size_t>(size) : 0);
  return own.substr(0, own.rfind('/') == std::string::npos ? 0 : own.rfind('/'));
}

Result<std::string> CheckLibraryName(const std::string& path) {
  // The dynamic loader splits LD_PRELOAD at these and knows no quoting (ld.so(8)).
  if (path.front() != '/' || path.find_first_of(": \t\n") != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument,
                "the shim library " + Quote(path) +
                    " must be an absolute path without spaces and colons: LD_PRELOAD cannot carry "
                    "another one");
  }
  if (!IsFile(path)) {
    return Fail(ErrorCode::kNotFound, "the shim library " + Quote(path) + " does not exist");
  }
  return path;
}

}  // namespace

Result<std::string> FindProgram(const std::string& name, const std::string& search_path) {
  const auto candidates = Candidates(name, search_path);
  const auto runnable = [](const std::string& path) {
    return IsFile(path) && ::access(path.c_str(), X_OK) == 0;
  };
  const auto found = std::find_if(candidates.begin(), candidates.end(), runnable);
  if (found != candidates.end()) {
    return *found;
  }
  const auto present = std::find_if(candidates.begin(), candidates.end(), IsFile);
  if (present != candidates.end()) {
    return Fail(ErrorCode::kPermission, "the file " + Quote(*present) + " is not executable");
  }
  return Fail(ErrorCode::kNotFound, "there is no program " + Quote(name));
}

Result<std::string> FindPreloadLibrary(const std::string& given) {
  if (!given.empty()) {
    return CheckLibraryName(given);
  }
  for (const std::string& directory :
       {OwnDirectory() + "/../lib", std::string(OPENHOOK_LIBRARY_DIRECTORY)}) {
    if (IsFile(directory + "/" + kLibraryName)) {
      return CheckLibraryName(directory + "/" + kLibraryName);
    }
  }
  return Fail(ErrorCode::kNotFound, std::string("cannot find ") + kLibraryName +
                                        " beside this program or in " + OPENHOOK_LIBRARY_DIRECTORY +
                                        "; name it with --preload");
}

Result<std::string> FindNotifier() {
  for (const std::string& directory : {OwnDirectory(), std::string(OPENHOOK_PROGRAM_DIRECTORY)}) {
    if (IsFile(directory + "/" + kNotifierName)) {
      return directory + "/" + kNotifierName;
    }
  }
  return Fail(ErrorCode::kNotFound, std::string("cannot find ") + kNotifierName +
                                        " beside this program or in " + OPENHOOK_PROGRAM_DIRECTORY +
                                        "; --mode=preload needs none");
}

Result<std::string> FindBeside(const std::string& name) {
  std::string path = OwnDirectory() + "/" + name;
  if (!IsFile(path)) {
    return Fail(ErrorCode::kNotFound, "the program " + Quote(path) + " is missing");
  }
  return path;
}

Result<ShimLibrary> ShimLibrary::Open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.IsValid()) {
    return FailErrno(errno, "cannot read the shim library " + Quote(path));
  }
  return ShimLibrary(std::move(fd), path);
}

Result<std::string> ShimLibrary::NameForLoader() {
  if (IsReadable(path_)) {
    return path_;
  }
  auto inherited = PlaceHigh(std::move(fd_));
  if (!inherited) {
    return tl::make_unexpected(inherited.error());
  }
  fd_ = std::move(*inherited);
  std::string name = "/proc/self/fd/" + std::to_string(fd_.Get());
  if (!IsReadable(name)) {
    return Fail(ErrorCode::kPermission,
                "the program's user cannot read the shim library " + Quote(path_));
  }
  return name;
}

}  // namespace openhook::launcher
