// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which file in the lock directory stands for which file or disk. Two names are equal exactly when
// they mean one file, by whatever path and through whatever mount of this host it was reached.

#ifndef BROKER_FS_LOCK_NAME_H_
#define BROKER_FS_LOCK_NAME_H_

#include <optional>
#include <string>

#include "broker/base/file_identity.h"

namespace openhook::fs {

// Absent for what is never locked: character devices, FIFOs, directories.
std::optional<std::string> LockName(const FileIdentity& identity);

}  // namespace openhook::fs

#endif  // BROKER_FS_LOCK_NAME_H_
