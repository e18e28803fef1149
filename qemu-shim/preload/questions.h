// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The broker's four questions in the terms of libc: what a call wants goes in, what it returns
// comes out, with errno. An open that the policy denies says so on standard error; probes (stat,
// access) and plain absence are daily business and stay silent.

#ifndef QEMU_SHIM_PRELOAD_QUESTIONS_H_
#define QEMU_SHIM_PRELOAD_QUESTIONS_H_

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>

namespace openhook::preload {

enum class Voice : std::uint8_t {
  kAloud,
  kQuiet,  // the kernel has said no already; the broker is only asked whether it knows better
};

enum class Links : std::uint8_t { kFollow, kDoNotFollow };

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
