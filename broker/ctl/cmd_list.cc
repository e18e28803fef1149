// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhookctl list: the whole whitelist, page by page.

#include <fmt/format.h>

#include <ostream>

#include "broker/base/text.h"
#include "broker/ctl/commands.h"
#include "broker/ctl/grant_list.h"
#include "broker/ctl/json_output.h"
#include "broker/ctl/render.h"

namespace openhook::ctl {

namespace {

Result<void> RunList(const Invocation& invocation) {
  Result<ControlClient> client = ConnectToBroker(invocation);
  if (!client) {
    return tl::make_unexpected(std::move(client).error());
  }
  const Result<proto::ListReply> list = AskAllGrants(&*client);
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
