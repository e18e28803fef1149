// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the process that parses headers may still do: compute, and talk to its parent. A VM can
// write whatever it likes into its image; should a parser be broken by that, the parser has
// nothing.

#ifndef BROKER_CHAIN_READER_RIGHTS_H_
#define BROKER_CHAIN_READER_RIGHTS_H_

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::chain {

// For a process that has only just been forked: keeps `socket` of all descriptors, no capability,
// not its user where it may change that, no system call that reaches a file, a process or the
// network, and bounds on memory and processor time. Errors: the kernel's; the process must then
// not go on.
Result<void> GiveUpRights(const UniqueFd& socket);

}  // namespace openhook::chain

#endif  // BROKER_CHAIN_READER_RIGHTS_H_
