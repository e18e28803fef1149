// SPDX-License-Identifier: LGPL-2.1-or-later
//
// open(2) as the program gets it; every symbol that opens a file ends here.

#ifndef QEMU_SHIM_PRELOAD_OPEN_FILE_H_
#define QEMU_SHIM_PRELOAD_OPEN_FILE_H_

#include <sys/types.h>

namespace openhook::preload {

int OpenFile(int dirfd, const char* path, int flags, mode_t mode);

}  // namespace openhook::preload

#endif  // QEMU_SHIM_PRELOAD_OPEN_FILE_H_
