// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A backing chain as the grants that make it usable: every member under its canonical path, with
// the spelling that QEMU will use as an alias, pinned to the file that was read.

#ifndef BROKER_CHAIN_CHAIN_GRANTS_H_
#define BROKER_CHAIN_CHAIN_GRANTS_H_

#include <string>

#include "broker/base/result.h"
#include "broker/chain/path_opener.h"
#include "broker/image/chain.h"
#include "proto/control.pb.h"

namespace openhook::chain {

struct ChainGrantOptions {
  proto::GrantAccess top = proto::GRANT_ACCESS_READ;  // of the image and its data file
  std::string source;
  bool shareable = false;  // the image and its data file
};

// Errors: kUnsupported for a chain that only the image itself vouches for: see image::FormatSource.
Result<void> CheckMayBeGranted(const image::Chain& chain);

// One spec for each member, in the order of the chain. `opener` is the one that walked it.
Result<proto::GrantRequest> GrantsOfChain(const image::Chain& chain, const PathOpener& opener,
                                          const ChainGrantOptions& options);

}  // namespace openhook::chain

#endif  // BROKER_CHAIN_CHAIN_GRANTS_H_
