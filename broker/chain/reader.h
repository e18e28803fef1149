// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The process that parses headers: walks a chain, asking its parent for every member and every
// byte, and tells it what the chain is.

#ifndef BROKER_CHAIN_READER_H_
#define BROKER_CHAIN_READER_H_

#include <optional>
#include <string>

#include "broker/base/unique_fd.h"
#include "broker/image/chain.h"

namespace openhook::chain {

// `socket` leads to a parent that serves (read_chain.cc). Returns when all is said, or when the
// parent is gone.
void RunReader(UniqueFd socket, const std::string& image, std::optional<image::Format> declared,
               image::Reach reach);

}  // namespace openhook::chain

#endif  // BROKER_CHAIN_READER_H_
