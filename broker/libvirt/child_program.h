// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Programs that the hook starts: one to wait for, with what it reads; and one that goes on without
// the hook, in a session of its own, and is started again when it dies.

#ifndef BROKER_LIBVIRT_CHILD_PROGRAM_H_
#define BROKER_LIBVIRT_CHILD_PROGRAM_H_

#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::libvirt {

// `words`: the file, then its arguments. Its standard output is dropped: what a hook prints there,
// libvirt may take for a definition. Its complaints are the hook's. Returns its exit status.
Result<int> RunAndWait(const std::vector<std::string>& words, std::string_view input);

// `log` is its standard output and error. Nothing else goes along. A process of its own watches it,
// and starts it again when it was killed; systemd does that elsewhere.
Result<void> StartSupervised(const std::vector<std::string>& words, const UniqueFd& log);

// Returns when it fails only.
Error ExecuteInPlace(const std::vector<std::string>& words);

}  // namespace openhook::libvirt

#endif  // BROKER_LIBVIRT_CHILD_PROGRAM_H_
