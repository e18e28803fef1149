// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/wait_closed.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <thread>

#include "broker/base/text.h"

namespace openhook::ctl {

namespace {

constexpr std::chrono::milliseconds kPause{50};

// Absent: the broker keeps no ended grant of this path any more.
Result<std::optional<proto::HoldersReply>> AskHolders(client::ControlClient* client,
                                                      const std::string& path) {
  proto::ControlRequest request;
  request.mutable_holders()->set_path(path);
  const Result<proto::ControlReply> reply = client->TryCall(std::move(request));
  if (!reply) {
    return tl::make_unexpected(reply.error());
  }
  const auto& grants = reply->holders().grants();
  const bool kept = reply->outcome() == proto::OUTCOME_OK &&
                    std::any_of(grants.begin(), grants.end(), [](const proto::GrantInfo& grant) {
                      return grant.ended_unix() != 0;
                    });
  return kept ? std::optional(reply->holders()) : std::nullopt;
}

Error StillOpen(const std::string& path, const proto::HoldersReply& reply) {
  std::string who;
  for (const proto::HoldersReply::Holder& holder : reply.holders()) {
    who += fmt::format("{}pid {} ({}, {})", who.empty() ? "" : ", ", holder.pid(),
                       Escape(holder.program()), holder.write() ? "read-write" : "read");
  }
  return {ErrorCode::kUnavailable, 0,
          fmt::format("{} is still open: {}. New opens for writing are refused; the VM may read "
                      "it until it closes it",
                      Quote(path), who.empty() ? "nobody is seen to have it now" : who)};
}

}  // namespace

Result<void> WaitUntilClosed(client::ControlClient* client,
                             const google::protobuf::RepeatedPtrField<proto::GrantInfo>& held,
                             std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (const proto::GrantInfo& grant : held) {
    for (;;) {
      const auto holders = AskHolders(client, grant.path());
      if (!holders) {
        return tl::make_unexpected(holders.error());
      }
      if (!*holders) {
        break;
      }
      if (std::chrono::steady_clock::now() >= deadline) {
        return tl::make_unexpected(StillOpen(grant.path(), **holders));
      }
      std::this_thread::sleep_for(kPause);
    }
  }
  return {};
}

}  // namespace openhook::ctl
