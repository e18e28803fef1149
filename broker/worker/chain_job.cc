// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/worker/chain_job.h"

#include "broker/base/limits.h"
#include "broker/base/text.h"
#include "broker/chain/chain_grants.h"
#include "broker/chain/read_chain.h"

namespace openhook::worker {

Result<proto::GrantRequest> Perform(const ChainJob& job) {
  const Result<chain::ReadChain> read = chain::ReadChainOf(job.image, job.format);
  if (!read) {
    return tl::make_unexpected(read.error());
  }
  auto grants =
      chain::GrantsOfChain(read->chain, read->opener, {job.top, job.source, job.shareable});
  if (grants && grants->ByteSizeLong() > limits::kMaxControlPacket) {
    return Fail(ErrorCode::kLimit, "the names in the chain of " + Quote(job.image) +
                                       " are longer than a request may be");
  }
  return grants;
}

}  // namespace openhook::worker
