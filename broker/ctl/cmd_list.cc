// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhookctl list: the whole whitelist, page by page.

#include <fmt/format.h>

#include <ostream>

#include "broker/base/text.h"
#include "broker/ctl/commands.h"
#include "broker/ctl/json_output.h"
#include "broker/ctl/render.h"

namespace openhook::ctl {

namespace {

Result<proto::ListReply> AskPage(ControlClient* client, std::uint64_t after_id) {
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

Result<Listing> AskAllOnce(ControlClient* client) {
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

// Two pages of different generations would show a whitelist that never was, so a list that was
// overtaken by a change is asked for again.
Result<proto::ListReply> AskAll(ControlClient* client) {
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

Result<void> RunList(const Invocation& invocation) {
  Result<ControlClient> client = ConnectToBroker(invocation);
  if (!client) {
    return tl::make_unexpected(std::move(client).error());
  }
  const Result<proto::ListReply> list = AskAll(&*client);
  if (!list) {
    return tl::make_unexpected(list.error());
  }
  if (invocation.options.json) {
    Json json;
    json["vm"] = client->Vm();
    json["generation"] = list->generation();
    json["grants"] = GrantsToJson(list->grants());
    invocation.out << Dump(json) << '\n';
    return {};
  }
  if (list->grants().empty()) {
    invocation.out << fmt::format("The VM {} may use no file.\n", Escape(client->Vm()));
    return {};
  }
  invocation.out << RenderGrants(list->grants());
  return {};
}

}  // namespace

void AddListCommand(CLI::App* app, const Invocation& invocation, Action* chosen) {
  CLI::App* list = app->add_subcommand("list", "Every file that the VM may use");
  list->footer("Example: openhookctl list --vm 4dea22b3-1d52-d8f3-2516-782e98ab3fa0");
  list->callback(
      [&invocation, chosen] { *chosen = [&invocation] { return RunList(invocation); }; });
}

}  // namespace openhook::ctl
