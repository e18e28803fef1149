// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The label of a socket's other end, as the kernel kept it: that of whoever made the socket,
// whoever holds it now.

#ifndef POLICY_LABEL_SOCKET_LABEL_H_
#define POLICY_LABEL_SOCKET_LABEL_H_

#include <optional>
#include <string>

#include "broker/base/unique_fd.h"

namespace openhook::label {

// SO_PEERSEC (socket(7)), without the NUL that SELinux counts. Absent where the kernel has none: no
// security module, or AppArmor before Linux 6.17.
std::optional<std::string> ReadSocketLabel(const UniqueFd& socket);

}  // namespace openhook::label

#endif  // POLICY_LABEL_SOCKET_LABEL_H_
