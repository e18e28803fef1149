// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhookctl holders: which processes of the VM have a granted file open at this moment.

#include <fmt/format.h>

#include <memory>
#include <ostream>

#include "broker/base/text.h"
#include "broker/ctl/commands.h"
#include "broker/ctl/json_output.h"
#include "broker/ctl/render.h"
#include "broker/ctl/table.h"
#include "broker/ctl/validators.h"

namespace openhook::ctl {

namespace {

std::string RenderHolders(const std::string& path, const proto::HoldersReply& reply) {
  if (reply.holders().empty()) {
    return fmt::format("No process of the VM has {} open.\n", Quote(path));
  }
  Table table({{"PID", Align::kRight}, {"PROGRAM"}, {"ACCESS"}});
  for (const proto::HoldersReply::Holder& holder : reply.holders()) {
    table.AddRow(
        {std::to_string(holder.pid()), holder.program(), holder.write() ? "read-write" : "read"});
  }
  return table.Render();
}

Result<void> RunHolders(const Invocation& invocation, const std::string& path) {
  proto::ControlRequest request;
  request.mutable_holders()->set_path(path);
  const Result<proto::ControlReply> reply = AskBroker(invocation, std::move(request));
  if (!reply) {
    return tl::make_unexpected(reply.error());
  }
  if (!reply->has_holders()) {
    return Fail(ErrorCode::kCorrupt, "the broker's answer holds no holders");
  }
  if (invocation.options.json) {
    invocation.out << Dump(HoldersToJson(path, reply->holders())) << '\n';
    return {};
  }
  invocation.out << RenderHolders(path, reply->holders()) << "Granted as:\n"
                 << RenderGrants(reply->holders().grants());
  return {};
}

}  // namespace

void AddHoldersCommand(CLI::App* app, const Invocation& invocation, Action* chosen) {
  CLI::App* holders =
      app->add_subcommand("holders", "Which processes of the VM have a granted file open");
  const auto path = std::make_shared<std::string>();
  holders->add_option("path", *path, "The file")
      ->required()
      ->check(AbsolutePathValidator())
      ->type_name("PATH");
  holders->footer("Example: openhookctl holders /srv/images/base.qcow2");
  holders->callback([&invocation, chosen, path] {
    *chosen = [&invocation, path] { return RunHolders(invocation, *path); };
  });
}

}  // namespace openhook::ctl
