// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Reads a FileIdentity from the kernel, by descriptor: never by name, so that nothing can be
// swapped between the question and the answer.

#ifndef BROKER_FS_IDENTITY_H_
#define BROKER_FS_IDENTITY_H_

#include <sys/stat.h>

#include <optional>
#include <string>

#include "broker/base/file_identity.h"
#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::fs {

enum class HandleUse : std::uint8_t {
  kRead,  // when pinning, and when comparing with a pin that needs it
  kSkip,
};

// What an identity must have to be compared with `pinned`.
inline HandleUse HandleUseFor(const FileIdentity& pinned) {
  return pinned.birth_settled ? HandleUse::kSkip : HandleUse::kRead;
}

// statx(2) with AT_STATX_DONT_SYNC: what the kernel knows, without asking an NFS server.
Result<FileIdentity> IdentityOf(const PathFd& file, HandleUse handle);
Result<FileIdentity> IdentityOf(const IoFd& file, HandleUse handle);

// Of the file that another process has open: `descriptors` is its /proc/PID/fd, `number` a name in
// there. Without a handle. Absent: closed meanwhile.
std::optional<FileIdentity> IdentityOfHeld(const PathFd& descriptors, const char* number);

// Full, fresh attributes for a client's stat(2).
Result<struct stat> StatOf(const PathFd& file);

// True when both descriptors name one inode; the cheap check after a reopen.
Result<void> CheckSameInode(const IoFd& opened, const FileIdentity& expected);

// The kernel's random identifier of this boot (proc(5), /proc/sys/kernel/random/boot_id).
Result<std::string> BootId();

}  // namespace openhook::fs

#endif  // BROKER_FS_IDENTITY_H_
