// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Programs that go on without the hook, in a session of their own; and who stays with a broker.

#ifndef BROKER_LIBVIRT_CHILD_PROGRAM_H_
#define BROKER_LIBVIRT_CHILD_PROGRAM_H_

#include <string>
#include <vector>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::libvirt {

// `words`: the file, then its arguments. `log` is its standard output and error. Nothing else goes
// along, and it has no parent that waits.
Result<void> StartAlone(const std::vector<std::string>& words, const UniqueFd& log);

// Runs the broker and, beside it, `loader` (empty: none) until the broker ends by itself; starts
// again what was killed. Returns the broker's status.
Result<int> Supervise(const std::vector<std::string>& broker,
                      const std::vector<std::string>& loader);

}  // namespace openhook::libvirt

#endif  // BROKER_LIBVIRT_CHILD_PROGRAM_H_
