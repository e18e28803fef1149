// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/worker/chain_job.h"

#include <sys/stat.h>

#include "broker/base/limits.h"
#include "broker/base/text.h"
#include "broker/chain/chain_grants.h"
#include "broker/chain/read_chain.h"
#include "broker/fs/identity.h"
#include "broker/fs/resolve.h"

namespace openhook::worker {

namespace {

// Made, and to be written yet: it has no format.
bool IsEmptyFile(const std::string& path) {
  const auto file = fs::ResolveFollowing(path);
  const auto info =
      file ? fs::StatOf(file->fd) : Result<struct stat>(tl::make_unexpected(file.error()));
  return info && S_ISREG(info->st_mode) && info->st_size == 0;
}

}  // namespace

Result<proto::GrantRequest> Perform(const ChainJob& job) {
  const Result<chain::ReadChain> read = chain::ReadChainOf(job.image, job.format);
  if (!read) {
    return tl::make_unexpected(read.error());
  }
  auto grants =
      chain::GrantsOfChain(read->chain, read->opener, {job.top, job.source, job.shareable});
  if (grants && job.format.empty() && grants->grants_size() == 1 && IsEmptyFile(job.image)) {
    grants->mutable_grants(0)->clear_format();
  }
  if (grants && grants->ByteSizeLong() > limits::kMaxControlPacket) {
    return Fail(ErrorCode::kLimit, "the names in the chain of " + Quote(job.image) +
                                       " are longer than a request may be");
  }
  return grants;
}

}  // namespace openhook::worker
