// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Reads small files that an administrator names, and facts that the kernel keeps as files and links
// below /sys. Not for files of a VM.

#ifndef BROKER_FS_WHOLE_FILE_H_
#define BROKER_FS_WHOLE_FILE_H_

#include <cstddef>
#include <string>

#include "broker/base/result.h"

namespace openhook::fs {

// All of it, symlinks followed. Errors: kLimit for more than `limit` bytes; the kernel's.
Result<std::string> ReadWholeFile(const std::string& path, std::size_t limit);
// The same of standard input, to its end.
Result<std::string> ReadStandardInput(std::size_t limit);

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

#endif  // BROKER_FS_WHOLE_FILE_H_
