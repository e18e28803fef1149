// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How a function of ours becomes what a program gets for a libc symbol. The assembler name does it,
// not the C++ name: libc's own headers declare these functions with attributes (noexcept, nonnull,
// fortified inline bodies) that a second definition could not match on every compiler.
//
// The *64 names are aliases: on the 64-bit ABIs that QEMU has, off_t is 64 bits wide either way.

#ifndef QEMU_SHIM_PRELOAD_EXPORT_H_
#define QEMU_SHIM_PRELOAD_EXPORT_H_

#include <sys/types.h>

static_assert(sizeof(off_t) == 8, "open and open64 are one function only where off_t has 64 bits");

#define OPENHOOK_SYMBOL(name) __asm__(#name) __attribute__((visibility("default")))
#define OPENHOOK_ALIAS(name, target) \
  __asm__(#name) __attribute__((visibility("default"), alias(#target)))

#endif  // QEMU_SHIM_PRELOAD_EXPORT_H_
