// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who may connect to a control socket, in words: the help for somebody who may not.

#ifndef BROKER_CLIENT_SOCKET_OWNER_H_
#define BROKER_CLIENT_SOCKET_OWNER_H_

#include <string>

namespace openhook::client {

// As in "be root, or a member of the group 'libvirt'". The socket may be out of the caller's
// sight; then the answer is general.
std::string DescribeWhoMayUse(const std::string& socket_path);

// The login name of the user that runs this program, or its number.
std::string CallerName();

}  // namespace openhook::client

#endif  // BROKER_CLIENT_SOCKET_OWNER_H_
