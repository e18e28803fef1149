// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The broker's stat in the two forms in which programs want it.

#ifndef QEMU_SHIM_CLIENT_STAT_REPLY_H_
#define QEMU_SHIM_CLIENT_STAT_REPLY_H_

#include <sys/stat.h>

#include "proto/openhook.pb_c.h"

namespace openhook::client {

void CopyStat(const openhook_proto_StatReply& from, struct stat* to);
void CopyToStatx(const struct stat& from, struct statx* to);

}  // namespace openhook::client

#endif  // QEMU_SHIM_CLIENT_STAT_REPLY_H_
