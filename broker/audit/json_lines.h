// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Events as JSON objects, one a line, in a file that rotates at 8 MiB (docs/cli.md has the fields).

#ifndef BROKER_AUDIT_JSON_LINES_H_
#define BROKER_AUDIT_JSON_LINES_H_

#include <memory>
#include <string>

#include "broker/audit/audit_log.h"
#include "broker/base/result.h"

namespace openhook::audit {

// One line without its newline. Path bytes that are not printable ASCII become \xHH.
std::string ToJsonLine(const Event& event, std::uint64_t missed);

// A sink that appends to `path`. An event that cannot be written (a full disk) is said once on
// standard error and does not stop the broker.
Result<std::unique_ptr<Sink>> MakeJsonLinesSink(const std::string& path);

}  // namespace openhook::audit

#endif  // BROKER_AUDIT_JSON_LINES_H_
