// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/grant_list.h"

#include <utility>

namespace openhook::ctl {

namespace {

Result<proto::ListReply> AskPage(client::ControlClient* client, std::uint64_t after_id) {
  proto::ControlRequest request;
  request.mutable_list()->set_after_id(after_id);
  Result<proto::ControlReply> reply = client->Call(std::move(request));
  if (!reply) {
    return tl::make_unexpected(std::move(reply).error());
  }
  const bool stands_still =
      reply->list().more() &&
      (reply->list().grants().empty() || reply->list().grants().rbegin()->id() <= after_id);
  if (!reply->has_list() || stands_still) {
    return Fail(ErrorCode::kCorrupt, "the broker's list does not go on where it stopped");
  }
  return reply->list();
}

struct Listing {
  proto::ListReply all;
  bool consistent = true;  // no change of the whitelist fell between two pages
};

Result<Listing> AskAllOnce(client::ControlClient* client) {
  Listing listing;
  std::uint64_t after_id = 0;
  do {
    const Result<proto::ListReply> page = AskPage(client, after_id);
    if (!page) {
      return tl::make_unexpected(page.error());
    }
    listing.consistent = after_id == 0 || page->generation() == listing.all.generation();
    listing.all.MergeFrom(*page);
    listing.all.set_more(page->more());
    after_id = page->grants().empty() ? after_id : page->grants().rbegin()->id();
  } while (listing.all.more() && listing.consistent);
  return listing;
}

}  // namespace

// Two pages of different generations would show a whitelist that never was, so a list that was
// overtaken by a change is asked for again.
Result<proto::ListReply> AskAllGrants(client::ControlClient* client) {
  constexpr int kMaxAttempts = 10;
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    Result<Listing> listing = AskAllOnce(client);
    if (!listing) {
      return tl::make_unexpected(std::move(listing).error());
    }
    if (listing->consistent) {
      return std::move(listing->all);
    }
  }
  return Fail(ErrorCode::kUnavailable, "the whitelist changed during every attempt to list it");
}

}  // namespace openhook::ctl
