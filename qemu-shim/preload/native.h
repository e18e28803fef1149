// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The functions that the shim stands in front of, found with dlsym(RTLD_NEXT) so that other
// preloaded libraries keep their turn. Few are needed: every plain form is an *at form with
// AT_FDCWD. All are looked up when the library is loaded; a call that comes even earlier, from
// another library's constructor, looks up its own.

#ifndef QEMU_SHIM_PRELOAD_NATIVE_H_
#define QEMU_SHIM_PRELOAD_NATIVE_H_

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdio>

namespace openhook::preload::native {

int OpenAt(int dirfd, const char* path, int flags, mode_t mode);
// The fortified form, which ends the program when the flags want a mode.
int OpenAtWithoutMode(int dirfd, const char* path, int flags);
FILE* OpenStream(const char* path, const char* mode);
int MakeTemporary(char* name_template, int flags);
int StatAt(int dirfd, const char* path, struct stat* result, int flags);
int Statx(int dirfd, const char* path, int flags, unsigned mask, struct statx* result);
int AccessAt(int dirfd, const char* path, int mode, int flags);
int UnlinkAt(int dirfd, const char* path, int flags);
char* RealPath(const char* path, char* resolved);

void LookUpAll();

}  // namespace openhook::preload::native

#endif  // QEMU_SHIM_PRELOAD_NATIVE_H_
