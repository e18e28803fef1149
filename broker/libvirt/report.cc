// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/libvirt/report.h"

#include <dlfcn.h>

#include <cstddef>
#include <cstdio>

namespace openhook::libvirt {

namespace {

constexpr int kFromLocking = 42;     // virErrorDomain, libvirt/virterror.h
constexpr int kOperationFailed = 9;  // virErrorNumber

// libvirt's own way to note an error for the thread. It is not public, so it is looked for, and
// done without.
using Note = void (*)(int domain, int code, const char* file, const char* function,
                      std::size_t line, const char* format, ...);

}  // namespace

void Say(const std::string& sentence) noexcept {
  (void)std::fprintf(stderr, "openhook: %s\n", sentence.c_str());
}

void SayWhyRefused(const std::string& sentence) noexcept {
  Say(sentence);
  const auto note = reinterpret_cast<Note>(::dlsym(RTLD_DEFAULT, "virReportErrorHelper"));
  if (note != nullptr) {
    note(kFromLocking, kOperationFailed, "openhook", "acquire", 0, "openhook: %s",
         sentence.c_str());
  }
}

}  // namespace openhook::libvirt
