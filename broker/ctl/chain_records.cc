// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/chain_records.h"

#include "broker/base/text.h"
#include "broker/chain/chain_grants.h"
#include "broker/chain/read_chain.h"

namespace openhook::ctl {

Result<std::vector<proto::ChainInfo>> AskChains(client::ControlClient* client) {
  std::vector<proto::ChainInfo> chains;
  bool more = true;
  while (more) {
    proto::ControlRequest request;
    request.mutable_chain_list()->set_after_disk(chains.empty() ? "" : chains.back().disk());
    const Result<proto::ControlReply> reply = client->Call(std::move(request));
    if (!reply) {
      return tl::make_unexpected(reply.error());
    }
    more = reply->chain_list().more();
    if (!reply->has_chain_list() || (more && reply->chain_list().chains().empty())) {
      return Fail(ErrorCode::kCorrupt, "the broker's list of chains does not go on");
    }
    chains.insert(chains.end(), reply->chain_list().chains().begin(),
                  reply->chain_list().chains().end());
  }
  return chains;
}

Result<proto::ChangeReply> FollowHeaders(client::ControlClient* client,
                                         const proto::ChainInfo& chain, Drifted drifted) {
  if (chain.images().empty()) {
    return proto::ChangeReply();  // an empty drive has no headers
  }
  const proto::ChainImage& active = chain.images(0);
  const Result<chain::ReadChain> read = chain::ReadChainOf(active.path(), active.format());
  if (!read) {
    return tl::make_unexpected(read.error());
  }
  const auto access = chain.writable() ? proto::GRANT_ACCESS_READ_WRITE : proto::GRANT_ACCESS_READ;
  Result<proto::GrantRequest> grants = chain::GrantsOfChain(
      read->chain, read->opener, {access, "disk " + Escape(chain.disk(), 200)});
  if (!grants) {
    return tl::make_unexpected(std::move(grants).error());
  }
  grants->set_lease(chain.lease());
  grants->set_disk(chain.disk());
  grants->set_disk_writable(chain.writable());
  grants->set_accept_drift(drifted == Drifted::kAccept);
  proto::ControlRequest request;
  *request.mutable_grant() = std::move(*grants);
  Result<proto::ControlReply> reply = client->Call(std::move(request));
  if (!reply) {
    return tl::make_unexpected(std::move(reply).error());
  }
  return reply->change();
}

}  // namespace openhook::ctl
