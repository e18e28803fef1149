// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhookctl explain: what the broker would answer for one path, by which rule, and what an
// administrator can do about it. To be told "deny" is an answer, so the exit status is 0.

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

struct ExplainOptions {
  std::string path;
  bool write = false;
  bool create = false;
};

proto::ControlRequest MakeRequest(const ExplainOptions& options) {
  proto::ControlRequest request;
  request.mutable_explain()->set_path(options.path);
  request.mutable_explain()->set_write(options.write);
  request.mutable_explain()->set_create(options.create);
  return request;
}

std::string AskedFor(const ExplainOptions& options) {
  return options.create ? "create" : options.write ? "write" : "read";
}

std::string RenderExplanation(const ExplainOptions& options, const proto::ExplainReply& explained) {
  std::string text =
      RenderFacts({{"Asked", fmt::format("{} {}", AskedFor(options), Quote(options.path))},
                   {"Decision", explained.allow() ? "allow" : "deny"},
                   {"Rule", explained.rule()},
                   {"Reason", explained.reason()},
                   {"Remedy", explained.remedy().empty() ? "-" : explained.remedy()}});
  if (!explained.grants().empty()) {
    text += "\nGrants that bear on it:\n" + RenderGrants(explained.grants());
  }
  if (!explained.recent().empty()) {
    text += "\nLast decisions about it:\n";
  }
  for (const proto::Event& event : explained.recent()) {
    text += RenderEvent(event);
  }
  return text;
}

Result<void> RunExplain(const Invocation& invocation, const ExplainOptions& options) {
  const Result<proto::ControlReply> reply = AskBroker(invocation, MakeRequest(options));
  if (!reply) {
    return tl::make_unexpected(reply.error());
  }
  if (!reply->has_explain()) {
    return Fail(ErrorCode::kCorrupt, "the broker's answer holds no explanation");
  }
  if (invocation.options.json) {
    invocation.out << Dump(ExplainToJson(options.path, reply->explain())) << '\n';
  } else {
    invocation.out << RenderExplanation(options, reply->explain());
  }
  return {};
}

}  // namespace

void AddExplainCommand(CLI::App* app, const Invocation& invocation, Action* chosen) {
  CLI::App* explain = app->add_subcommand("explain", "Why the VM may or may not use a file");
  const auto options = std::make_shared<ExplainOptions>();
  explain->add_option("path", options->path, "The file, as the VM would ask for it")
      ->required()
      ->check(AbsolutePathValidator())
      ->type_name("PATH");
  explain->add_flag("--write", options->write, "Ask about writing instead of reading");
  explain->add_flag("--create", options->create, "Ask about creating it")->excludes("--write");
  explain->footer("Example: openhookctl explain /srv/images/vm1.qcow2 --write");
  explain->callback([&invocation, chosen, options] {
    *chosen = [&invocation, options] { return RunExplain(invocation, *options); };
  });
}

}  // namespace openhook::ctl
