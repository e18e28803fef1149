// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The broker's four questions in the terms of libc: what a call wants goes in, what it returns
// comes out, with errno. What deserves it is told on standard error (client/refusal.h).

#ifndef QEMU_SHIM_PRELOAD_QUESTIONS_H_
#define QEMU_SHIM_PRELOAD_QUESTIONS_H_

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>

#include "qemu-shim/client/refusal.h"
#include "qemu-shim/client/request.h"

namespace openhook::preload {

using client::Links;
using client::Voice;

struct Asked {
  enum class Kind : std::uint8_t { kDone, kRefused, kNotMine };
  Kind kind = Kind::kRefused;
  int value = -1;  // kDone: what the call returns; kRefused: -1, and errno is set
};

Asked AskOpen(const char* path, int flags, mode_t mode, Voice voice);
Asked AskStat(const char* path, Links links, struct stat* result);
Asked AskAccess(const char* path, int mode);
Asked AskUnlink(const char* path);

}  // namespace openhook::preload

#endif  // QEMU_SHIM_PRELOAD_QUESTIONS_H_
