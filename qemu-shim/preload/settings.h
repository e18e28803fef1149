// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the launcher tells the shim through the environment, copied once at start: programs rewrite
// their environment, and getenv() is not safe against that.
//   OPENHOOK_SOCKET   path of the broker's open.sock; without it the shim does nothing at all
//   OPENHOOK_FD       a connection that the launcher made and greeted, see broker_connection.h
//   OPENHOOK_NATIVE   colon-separated directories that belong to the program itself
//   OPENHOOK_WAIT_MS  how long a request waits for a broker that restarts

#ifndef QEMU_SHIM_PRELOAD_SETTINGS_H_
#define QEMU_SHIM_PRELOAD_SETTINGS_H_

#include <sys/un.h>

namespace openhook::preload {

struct Settings {
  bool enabled = false;
  char socket[sizeof(sockaddr_un::sun_path)] = {};
  char native_directories[8192] = {};
  int launcher_fd = -1;
  int wait_ms = 5000;
};

// Reads the environment of this process.
void ReadSettings(Settings* settings);

}  // namespace openhook::preload

#endif  // QEMU_SHIM_PRELOAD_SETTINGS_H_
