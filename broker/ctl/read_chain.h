// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Walks the chain of one image on this host: what chain and grant --chain have in common.

#ifndef BROKER_CTL_READ_CHAIN_H_
#define BROKER_CTL_READ_CHAIN_H_

#include <string>

#include "broker/ctl/chain_opener.h"
#include "broker/image/chain.h"

namespace openhook::ctl {

struct ReadChain {
  image::Chain chain;
  ChainOpener opener;  // knows the identity of each member
};

// `format`: as the caller declares it; empty: to be probed. A relative `image` begins at the
// working directory. Errors are those of image::WalkChain(); kInvalidArgument for an unknown
// format.
Result<ReadChain> ReadChainOf(const std::string& image, const std::string& format);

}  // namespace openhook::ctl

#endif  // BROKER_CTL_READ_CHAIN_H_
