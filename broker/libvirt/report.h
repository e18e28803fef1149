// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How the lock driver says why it refuses: to the journal by libvirtd's standard error and, where
// libvirt lets it, as the error of the operation, which virsh prints.

#ifndef BROKER_LIBVIRT_REPORT_H_
#define BROKER_LIBVIRT_REPORT_H_

#include <string>

namespace openhook::libvirt {

// One line on standard error.
void Say(const std::string& sentence) noexcept;

// The same, and the error of the operation under way.
void SayWhyRefused(const std::string& sentence) noexcept;

}  // namespace openhook::libvirt

#endif  // BROKER_LIBVIRT_REPORT_H_
