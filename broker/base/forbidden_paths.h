// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a VM must never be given, whoever asks: the kernel's own file systems, the memory of the
// host, the system's configuration and keys. An image header that a VM rewrote may name them, and
// whoever grants a chain may not look closely. One list, asked twice: by the broker when a file is
// granted, and by openhook-loader, which does not believe the broker.

#ifndef BROKER_BASE_FORBIDDEN_PATHS_H_
#define BROKER_BASE_FORBIDDEN_PATHS_H_

#include <string>
#include <vector>

#include "broker/base/canonical_path.h"
#include "broker/base/result.h"

namespace openhook {

// `more`: directories that are forbidden beside the list (the broker's own). Errors: kPermission
// naming the rule.
Result<void> CheckNotForbidden(const CanonicalPath& path, const std::vector<std::string>& more);

}  // namespace openhook

#endif  // BROKER_BASE_FORBIDDEN_PATHS_H_
