// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which answers an administrator should read about in QEMU's log, and in which words. An open that
// the policy denies is told; probes (stat, access) and plain absence are daily business and stay
// silent.

#ifndef QEMU_SHIM_CLIENT_REFUSAL_H_
#define QEMU_SHIM_CLIENT_REFUSAL_H_

#include <cstdint>
#include <string_view>

#include "qemu-shim/client/exchange.h"
#include "qemu-shim/client/report.h"

namespace openhook::client {

enum class Voice : std::uint8_t {
  kAloud,
  kQuiet,  // the kernel has said no already; the broker is only asked whether it knows better
};

bool DeservesALine(Verdict verdict, Voice voice);

// Appends the sentence: `what` is the system call, `purpose` what for, or empty.
void AddRefusal(std::string_view what, std::string_view path, std::string_view purpose,
                const Answer& answer, const Endpoint& endpoint, Line* line);

}  // namespace openhook::client

#endif  // QEMU_SHIM_CLIENT_REFUSAL_H_
