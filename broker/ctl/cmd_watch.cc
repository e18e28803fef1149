// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhookctl watch: decisions as they are made, one line (or one JSON object) each.

#include <fmt/format.h>

#include <memory>
#include <ostream>

#include "broker/ctl/commands.h"
#include "broker/ctl/event_gap.h"
#include "broker/ctl/json_output.h"
#include "broker/ctl/render.h"

namespace openhook::ctl {

namespace {

struct WatchOptions {
  std::uint32_t last = 10;
  bool follow = true;
};

proto::ControlRequest MakeRequest(const WatchOptions& options) {
  proto::ControlRequest request;
  request.mutable_watch()->set_last(options.last);
  request.mutable_watch()->set_follow(options.follow);
  return request;
}

void PrintGap(const Invocation& invocation, std::uint64_t missed) {
  if (invocation.options.json) {
    invocation.out << Dump(Json{{"missed", missed}}) << '\n';
  } else {
    invocation.out << fmt::format(
        "... {} decisions are missing here: the broker does not wait for a slow watcher; "
        "what it refused is in the audit log\n",
        missed);
  }
}

void PrintEvent(const Invocation& invocation, const proto::Event& event) {
  if (invocation.options.json) {
    invocation.out << Dump(EventToJson(event)) << '\n';
  } else {
    invocation.out << RenderEvent(event);
  }
}

Result<void> PrintEvents(const Invocation& invocation, const proto::WatchReply& reply,
                         EventGap* gap) {
  for (const proto::Event& event : reply.events()) {
    const std::uint64_t missed = gap->Before(event.seq());
    if (missed > 0) {
      PrintGap(invocation, missed);
    }
    PrintEvent(invocation, event);
  }
  // At once, not when a buffer is full: somebody watches.
  if (!invocation.out.flush()) {
    return Fail(ErrorCode::kIo, "cannot write the output");
  }
  return {};
}

Error WatchError(Error error) {
  if (error.code == ErrorCode::kUnavailable) {
    error.context = "the broker ended, or dropped this watcher; watch again once it runs";
  }
  return error;
}

Result<void> RunWatch(const Invocation& invocation, const WatchOptions& options) {
  Result<ControlClient> client = ConnectToBroker(invocation);
  if (!client) {
    return tl::make_unexpected(std::move(client).error());
  }
  Result<void> done = client->Send(MakeRequest(options));
  EventGap gap;
  const auto patience =
      options.follow ? ControlClient::Patience::kForever : ControlClient::Patience::kDeadline;
  while (done) {
    const Result<proto::ControlReply> reply = client->Receive(patience);
    if (!reply) {
      return tl::make_unexpected(WatchError(reply.error()));
    }
    done = PrintEvents(invocation, reply->watch(), &gap);
    if (reply->watch().end()) {
      break;
    }
  }
  return done;
}

}  // namespace

void AddWatchCommand(CLI::App* app, const Invocation& invocation, Action* chosen) {
  CLI::App* watch = app->add_subcommand("watch", "Decisions as they are made");
  const auto options = std::make_shared<WatchOptions>();
  watch->add_option("--last", options->last, "Begin with so many decisions of the past")
      ->capture_default_str();
  watch->add_flag("--follow,!--no-follow", options->follow,
                  "Go on with each new decision (the default), or stop after those of the past");
  watch->footer(
      "Examples: openhookctl watch\n"
      "          openhookctl watch --last 100 --no-follow --json");
  watch->callback([&invocation, chosen, options] {
    *chosen = [&invocation, options] { return RunWatch(invocation, *options); };
  });
}

}  // namespace openhook::ctl
