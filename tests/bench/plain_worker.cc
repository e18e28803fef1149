// SPDX-License-Identifier: LGPL-2.1-or-later
//
// plain_worker FILE: open64() and close(), as any program does it. Alone it measures the kernel;
// with the preload library, the whole way through the broker.

#include <fcntl.h>

#include <cstdio>

#include "tests/bench/worker.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: plain_worker FILE\n", stderr);
    return 2;
  }
  const char* path = argv[1];
  return openhook::bench::ServeBatches([path] {
    const int fd = ::open64(path, O_RDWR | O_CLOEXEC);
    return fd >= 0 && ::close(fd) == 0;
  });
}
