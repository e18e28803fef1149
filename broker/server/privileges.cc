// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/privileges.h"

#include <cap-ng.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <cerrno>

namespace openhook::server {

Result<void> DropPrivileges() {
  ::umask(S_IRWXG | S_IRWXO);
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return FailErrno(errno, "cannot set no_new_privs");
  }
  capng_get_caps_process();
  const bool privileged = capng_have_capability(CAPNG_EFFECTIVE, CAP_DAC_OVERRIDE) != 0;
  const bool may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0;
  capng_clear(CAPNG_SELECT_BOTH);
  if (privileged) {
    for (const capng_type_t set : {CAPNG_EFFECTIVE, CAPNG_PERMITTED}) {
      capng_updatev(CAPNG_ADD, set, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER,
                    CAP_SYS_PTRACE, -1);
    }
  }
  // The bounding set is taken away with it, where we may; without CAP_SETPCAP no_new_privs has to
  // do.
  if (capng_apply(may_bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) != 0) {
    return FailErrno(errno, "cannot drop capabilities");
  }
  return {};
}

}  // namespace openhook::server
