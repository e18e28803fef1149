// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The broker's four questions, made from what a system call wants. The path goes out as the program
// spelled it, with the working directory where it is needed.

#ifndef QEMU_SHIM_CLIENT_REQUEST_H_
#define QEMU_SHIM_CLIENT_REQUEST_H_

#include <sys/types.h>

#include <cstdint>
#include <string_view>

#include "proto/openhook.pb_c.h"
#include "qemu-shim/client/intent.h"

namespace openhook::client {

struct Name {
  std::string_view path;
  std::string_view cwd;  // not used when the path is absolute
};

enum class Links : std::uint8_t { kFollow, kDoNotFollow };

// False when the path or the directory is longer than the wire takes. The id stays unset.
// `mode` is what is left of the program's mode after its umask; it and `token` are for creating.
bool FillOpen(const Name& name, const OpenIntent& intent, mode_t mode, std::uint64_t token,
              openhook_proto_Request* request);
bool FillStat(const Name& name, Links links, openhook_proto_Request* request);
// `mode` as in access(2).
bool FillAccess(const Name& name, int mode, openhook_proto_Request* request);
bool FillUnlink(const Name& name, openhook_proto_Request* request);

// For FillOpen(): the same when the request is repeated, so that the broker knows a file that it
// has just made.
std::uint64_t RandomToken();

}  // namespace openhook::client

#endif  // QEMU_SHIM_CLIENT_REQUEST_H_
