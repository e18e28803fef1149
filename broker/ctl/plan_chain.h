// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the header of a planned image adds to the plan: the images below, where the definition does
// not list them; data file and extents in any case, because QEMU opens them by the header.

#ifndef BROKER_CTL_PLAN_CHAIN_H_
#define BROKER_CTL_PLAN_CHAIN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "broker/base/result.h"
#include "broker/ctl/host_plan.h"
#include "broker/domain/plan.h"

namespace openhook::ctl {

struct BelowImage {
  std::vector<PlannedGrant> grants;  // without the image itself
  std::vector<domain::NetworkTarget> network;
  std::vector<std::string> warnings;
};

enum class DataFile : std::uint8_t {
  kInHeader,
  kNamed,  // the definition names it
};

// `file` must exist. Nothing for a format that is not read. Errors: those of image::WalkChain().
Result<BelowImage> ReadBelow(const domain::WantedFile& file, DataFile data_file);

}  // namespace openhook::ctl

#endif  // BROKER_CTL_PLAN_CHAIN_H_
