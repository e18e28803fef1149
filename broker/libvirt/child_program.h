// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Programs that the hook starts: one to wait for, with what it reads; and one that goes on without
// the hook, in a session of its own; and who stays with a broker.

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

// `log` is its standard output and error. Nothing else goes along, and it has no parent that waits.
Result<void> StartAlone(const std::vector<std::string>& words, const UniqueFd& log);

// Runs the broker and, beside it, `loader` (empty: none) until the broker ends by itself; starts
// again what was killed. Returns the broker's status.
Result<int> Supervise(const std::vector<std::string>& broker,
                      const std::vector<std::string>& loader);

}  // namespace openhook::libvirt

#endif  // BROKER_LIBVIRT_CHILD_PROGRAM_H_
