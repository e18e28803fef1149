// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/job_targets.h"

#include <ostream>

#include "broker/chain/chain_grants.h"
#include "broker/chain/read_chain.h"
#include "broker/ctl/words.h"

namespace openhook::ctl {

namespace {

// An existing overlay of a snapshot, or of a shallow copy, stands on what the disk has already.
bool BringsChain(const JobTarget& target) {
  return target.kind == proto::JOB_KIND_CHANGE || target.kind == proto::JOB_KIND_ATTACH;
}

proto::GrantRequest OneFile(const JobTarget& target, const std::string& source) {
  proto::GrantRequest request;
  proto::GrantSpec* spec = request.add_grants();
  spec->set_path(target.path);
  spec->set_access(target.existing ? proto::GRANT_ACCESS_READ_WRITE : proto::GRANT_ACCESS_CREATE);
  spec->set_source(source);
  spec->set_format(target.format);
  spec->set_role("image");
  return request;
}

}  // namespace

Result<proto::GrantRequest> GrantsOfTarget(const JobTarget& target, std::ostream& err) {
  const std::string source = "job " + std::string(JobKindWord(target.kind));
  if (!BringsChain(target)) {
    return OneFile(target, source);
  }
  const Result<chain::ReadChain> read = chain::ReadChainOf(target.path, target.format);
  if (!read) {
    return tl::make_unexpected(read.error());
  }
  if (const Result<void> allowed = chain::CheckMayBeGranted(read->chain); !allowed) {
    return tl::make_unexpected(allowed.error());
  }
  for (const std::string& warning : read->chain.warnings) {
    err << "openhookctl: warning: " << warning << '\n';
  }
  const auto access = target.write ? proto::GRANT_ACCESS_READ_WRITE : proto::GRANT_ACCESS_READ;
  return chain::GrantsOfChain(read->chain, read->opener, {access, source});
}

}  // namespace openhook::ctl
