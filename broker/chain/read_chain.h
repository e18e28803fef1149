// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Walks the chain of one image on this host. A VM may have written the headers, so they are parsed
// in a process of their own that has no rights at all (reader_rights.h); this one opens what that
// one asks for, by the rules of broker/fs, and believes it nothing but the order of the files.

#ifndef BROKER_CHAIN_READ_CHAIN_H_
#define BROKER_CHAIN_READ_CHAIN_H_

#include <string>

#include "broker/chain/path_opener.h"
#include "broker/image/chain.h"

namespace openhook::chain {

struct ReadChain {
  image::Chain chain;
  PathOpener opener;  // knows the identity of each member
};

// `format`: as the caller declares it; empty: to be probed. A relative `image` begins at the
// working directory. `reach`: how far; see image::Reach. Errors are those of image::WalkChain();
// kInvalidArgument for an unknown format.
Result<ReadChain> ReadChainOf(const std::string& image, const std::string& format,
                              image::Reach reach = image::Reach::kWholeChain);

}  // namespace openhook::chain

#endif  // BROKER_CHAIN_READ_CHAIN_H_
