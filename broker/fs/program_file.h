// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Links, and programs that can be run. Not for files of a VM.

#ifndef BROKER_FS_PROGRAM_FILE_H_
#define BROKER_FS_PROGRAM_FILE_H_

#include <string>

#include "broker/base/result.h"

namespace openhook::fs {

// What a symlink points at, as it is written. Errors: the kernel's.
Result<std::string> LinkTarget(const std::string& path);

// Last component of what a symlink points at. Errors: the kernel's.
Result<std::string> LinkName(const std::string& path);

// A regular file that this process may execute, symlinks followed.
bool IsProgram(const std::string& path);

// A program of this project: in the directory of the one that runs, in bin/ beside that directory,
// else in `installed`. Errors: kNotFound.
Result<std::string> FindProgramBeside(const std::string& name, const std::string& installed);

}  // namespace openhook::fs

#endif  // BROKER_FS_PROGRAM_FILE_H_
