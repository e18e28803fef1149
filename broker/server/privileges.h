// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What openhookd gives up before it serves anybody.

#ifndef BROKER_SERVER_PRIVILEGES_H_
#define BROKER_SERVER_PRIVILEGES_H_

#include "broker/base/result.h"

namespace openhook::server {

// As root: keeps only CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH (to open what the VM's user may
// not), CAP_FOWNER (to set the mode of files made in others' directories) and CAP_SYS_PTRACE (to
// see in /proc what the VM's processes have open), in every set. For every user: no_new_privs, not
// dumpable (so that a process of the same uid cannot read or trace the broker), umask 077. Errors:
// the kernel's; the broker does not run with more than it needs.
Result<void> DropPrivileges();

}  // namespace openhook::server

#endif  // BROKER_SERVER_PRIVILEGES_H_
