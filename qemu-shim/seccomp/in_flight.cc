// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/seccomp/in_flight.h"

#include <sys/mman.h>

#include <cerrno>

namespace openhook::seccomp {

namespace {

constexpr std::size_t kBytes = kWorkers * sizeof(InFlightCall);

}  // namespace

Result<InFlightTable> InFlightTable::Make() {
  void* const memory =
      ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return FailErrno(errno, "cannot make memory for the calls in flight");
  }
  return InFlightTable(static_cast<InFlightCall*>(memory));
}

void InFlightTable::Unmap::operator()(InFlightCall* calls) const { ::munmap(calls, kBytes); }

}  // namespace openhook::seccomp
