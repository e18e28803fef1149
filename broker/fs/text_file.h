// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Small files of the administrator's and of ours, read and replaced whole. Not for files of a VM.

#ifndef BROKER_FS_TEXT_FILE_H_
#define BROKER_FS_TEXT_FILE_H_

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::fs {

// All of it, symlinks followed. Errors: kLimit for more than `max_bytes`; else the kernel's.
Result<std::string> ReadTextFile(const std::string& path, std::size_t max_bytes);
// The same of standard input, to its end.
Result<std::string> ReadStandardInput(std::size_t max_bytes);

// Others see the old file or the new one, also after a power cut. The new one is called
// "PATH.new" until it is complete.
Result<void> ReplaceTextFile(const std::string& path, std::string_view text, mode_t mode);

// Holds a lock on the file `path`, which is made, as long as the descriptor is open. Errors:
// kConflict when another process has it.
Result<UniqueFd> LockAlone(const std::string& path);
// The same, and waits until nobody else has it.
Result<UniqueFd> LockInTurn(const std::string& path);

}  // namespace openhook::fs

#endif  // BROKER_FS_TEXT_FILE_H_
