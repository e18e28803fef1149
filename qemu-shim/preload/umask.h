// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The mode with which a new file is made is the program's, cut by the program's umask: the broker's
// own umask is another one, so the cut happens here.

#ifndef QEMU_SHIM_PRELOAD_UMASK_H_
#define QEMU_SHIM_PRELOAD_UMASK_H_

#include <sys/types.h>

namespace openhook::preload {

mode_t CutByUmask(mode_t mode);

}  // namespace openhook::preload

#endif  // QEMU_SHIM_PRELOAD_UMASK_H_
