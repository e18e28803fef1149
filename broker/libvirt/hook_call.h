// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What libvirt tells a hook of its QEMU driver: NAME OPERATION SUB-OPERATION EXTRA as arguments,
// the definition as standard input. Pure.

#ifndef BROKER_LIBVIRT_HOOK_CALL_H_
#define BROKER_LIBVIRT_HOOK_CALL_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace openhook::libvirt {

enum class Phase : std::uint8_t {
  kStart,      // the machine is about to start; its definition has all backing files
  kReconnect,  // libvirtd has started, and the machine runs
  kRelease,    // the machine is no more, and nothing of it is left
  kOther,      // nothing to do for us
};

Phase PhaseOf(const std::vector<std::string>& arguments);

// Of the machine that the definition is of; empty: there is none. libvirt writes it first.
std::string UuidOf(std::string_view definition);

// libvirt's number of the running machine, in digits; empty: it has none.
std::string IdOf(std::string_view definition);

}  // namespace openhook::libvirt

#endif  // BROKER_LIBVIRT_HOOK_CALL_H_
