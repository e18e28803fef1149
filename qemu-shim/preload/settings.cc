// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/preload/settings.h"

#include <cstdlib>
#include <cstring>

#include "qemu-shim/client/report.h"

namespace openhook::preload {

namespace {

// Copies the variable; false when it is absent, empty or too long to be used.
template <std::size_t kCapacity>
bool CopyVariable(const char* name, char (&target)[kCapacity]) {
  const char* value = std::getenv(name);
  if (value == nullptr || value[0] == '\0') {
    return false;
  }
  const std::size_t length = std::strlen(value);
  if (length >= kCapacity) {
    client::Line line;
    line.Add("the variable ").Add(name).Add(" is longer than the shim can hold; it is ignored");
    line.Print();
    return false;
  }
  std::memcpy(target, value, length + 1);
  return true;
}

// A decimal number from 0 to a million, else `fallback`.
int NumberVariable(const char* name, int fallback) {
  const char* value = std::getenv(name);
  if (value == nullptr || value[0] == '\0') {
    return fallback;
  }
  int number = 0;
  for (const char* c = value; *c != '\0'; ++c) {
    if (*c < '0' || *c > '9' || number > 100'000) {
      return fallback;
    }
    number = number * 10 + (*c - '0');
  }
  return number;
}

}  // namespace

void ReadSettings(Settings* settings) {
  // A relative name would change its meaning with the working directory.
  settings->enabled =
      CopyVariable("OPENHOOK_SOCKET", settings->socket) && settings->socket[0] == '/';
  if (!settings->enabled) {
    return;
  }
  CopyVariable("OPENHOOK_NATIVE", settings->native_directories);
  settings->launcher_fd = NumberVariable("OPENHOOK_FD", -1);
  settings->wait_ms = NumberVariable("OPENHOOK_WAIT_MS", settings->wait_ms);
}

}  // namespace openhook::preload
