// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The files that the launcher itself needs: the program to run, and the shim.

#ifndef QEMU_SHIM_LAUNCHER_PROGRAM_H_
#define QEMU_SHIM_LAUNCHER_PROGRAM_H_

#include <string>
#include <utility>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::launcher {

// The file that execvp(3) would run for `name`, given PATH. Errors: kNotFound; kPermission when
// there is one that cannot be executed.
Result<std::string> FindProgram(const std::string& name, const std::string& search_path);

// The shim library: `given` when it is not empty, else beside this program (../lib), else where it
// is installed. Errors: kNotFound; kInvalidArgument for a name that LD_PRELOAD cannot carry.
Result<std::string> FindPreloadLibrary(const std::string& given);

// openhook-notifier: beside this program, else where it is installed. Errors: kNotFound.
Result<std::string> FindNotifier();

// A program of this project that lies beside this one. Errors: kNotFound.
Result<std::string> FindBeside(const std::string& name);

// The library, held open from before the change of user on: a directory above it may be closed to
// that user (a build below root's home is the usual case).
class ShimLibrary {
 public:
  // Errors: the kernel's.
  static Result<ShimLibrary> Open(const std::string& path);

  // As the confined user: the name by which the dynamic loader will find it, proven by opening it;
  // the loader itself would only print a warning and start the program without it. That is the
  // path or, where it cannot be reached, /proc/self/fd/N of a descriptor that the program and its
  // helpers inherit. Errors: kPermission when the file itself is closed to the user.
  Result<std::string> NameForLoader();

 private:
  ShimLibrary(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  UniqueFd fd_;
  std::string path_;
};

}  // namespace openhook::launcher

#endif  // QEMU_SHIM_LAUNCHER_PROGRAM_H_
