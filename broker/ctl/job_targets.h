// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a job brings, as grants: a file that QEMU makes, one image, or an image with all that stands
// behind it.

#ifndef BROKER_CTL_JOB_TARGETS_H_
#define BROKER_CTL_JOB_TARGETS_H_

#include <iosfwd>
#include <string>

#include "broker/base/result.h"
#include "proto/control.pb.h"

namespace openhook::ctl {

struct JobTarget {
  std::string path;
  std::string format;
  bool existing = false;
  bool write = false;  // change, attach
  proto::JobKind kind = proto::JOB_KIND_UNSPECIFIED;
};

// A medium, a disk and an existing copy bring their own chains, which are read here; the other
// kinds bring one file. Warnings go to `err`. Errors as chain::ReadChainOf().
Result<proto::GrantRequest> GrantsOfTarget(const JobTarget& target, std::ostream& err);

}  // namespace openhook::ctl

#endif  // BROKER_CTL_JOB_TARGETS_H_
