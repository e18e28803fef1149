// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/relay/broker_link.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <thread>

namespace openhook::relay {

namespace {

constexpr std::chrono::milliseconds kBetweenTries(50);
constexpr std::string_view kIdPrefix = "qmp-";

// The number in "qmp-17-LABEL"; 0 for another id.
std::uint64_t NumberOf(std::string_view id) {
  std::uint64_t number = 0;
  if (id.starts_with(kIdPrefix)) {
    std::from_chars(id.data() + kIdPrefix.size(), id.data() + id.size(), number);
  }
  return number;
}

DiskChain FromWire(const proto::ChainInfo& info) {
  DiskChain chain{info.disk(), info.lease(), info.writable(), {}};
  for (const auto& image : info.images()) {
    chain.images.push_back(image.path());
  }
  return chain;
}

template <class T>
Result<void> Dropped(const Result<T>& result) {
  return result ? Result<void>() : Result<void>(tl::make_unexpected(result.error()));
}

}  // namespace

Result<proto::ControlReply> BrokerLink::CallOnce(const proto::ControlRequest& request) {
  if (!client_) {
    auto connected = client::ControlClient::Connect(socket_, "openhook-relay");
    if (!connected) {
      return tl::make_unexpected(connected.error());
    }
    client_.emplace(std::move(*connected));
  }
  auto reply = client_->Call(request);
  // A refusal is an answer; whatever else went wrong, the connection is of no more use.
  if (!reply && reply.error().code != ErrorCode::kPermission) {
    client_.reset();
  }
  return reply;
}

Result<proto::ControlReply> BrokerLink::Call(const proto::ControlRequest& request, Wait wait) {
  const auto deadline = std::chrono::steady_clock::now() + patience_;
  for (;;) {
    auto reply = CallOnce(request);
    const bool again = !reply && IsDown() && reply.error().code != ErrorCode::kLimit;
    if (!again || wait == Wait::kNot || std::chrono::steady_clock::now() >= deadline) {
      return reply;
    }
    std::this_thread::sleep_for(kBetweenTries);
  }
}

Result<std::vector<DiskChain>> BrokerLink::Chains() {
  std::vector<DiskChain> chains;
  proto::ControlRequest request;
  request.mutable_chain_list();
  for (bool more = true; more;) {
    const auto reply = Call(request, Wait::kPatiently);
    if (!reply) {
      return tl::make_unexpected(reply.error());
    }
    for (const auto& info : reply->chain_list().chains()) {
      chains.push_back(FromWire(info));
      request.mutable_chain_list()->set_after_disk(info.disk());
    }
    more = reply->chain_list().more() && reply->chain_list().chains_size() > 0;
  }
  return chains;
}

Result<void> BrokerLink::Begin(proto::JobBeginRequest job) {
  job.set_owner("monitor relay");
  job.set_owner_pid(keeper_);
  proto::ControlRequest request;
  *request.mutable_job_begin() = std::move(job);
  return Dropped(Call(request, Wait::kPatiently));
}

Result<void> BrokerLink::End(const JobEnd& end, Wait wait) {
  proto::ControlRequest request;
  request.mutable_job_end()->set_id(end.id);
  request.mutable_job_end()->set_outcome(static_cast<proto::JobState>(end.outcome));
  return Dropped(Call(request, wait));
}

Result<void> BrokerLink::Revoke(const std::string& lease, Wait wait) {
  proto::ControlRequest request;
  request.mutable_revoke()->set_lease(lease);
  return Dropped(Call(request, wait));
}

bool BrokerLink::Tells(const std::string& file, Sign sign) {
  if (sign == Sign::kNone || file.empty()) {
    return true;
  }
  proto::ControlRequest request;
  request.mutable_holders()->set_path(file);
  const auto reply = Call(request, Wait::kPatiently);
  bool held = false;
  bool writing = false;
  if (reply) {
    const auto& holders = reply->holders().holders();
    held = !holders.empty();
    writing = std::any_of(holders.begin(), holders.end(),
                          [](const auto& holder) { return holder.write(); });
  }
  switch (sign) {
    case Sign::kHeld:
      return held;
    case Sign::kNotHeld:
      return !held;
    case Sign::kHeldForWriting:
      return writing;
    default:
      return !writing;
  }
}

Result<BrokerLink::Jobs> BrokerLink::ListJobs(Wait wait) {
  Jobs jobs;
  proto::ControlRequest request;
  request.mutable_job_list()->set_all(true);
  for (bool more = true; more;) {
    const auto reply = Call(request, wait);
    if (!reply) {
      return tl::make_unexpected(reply.error());
    }
    for (const auto& job : reply->job_list().jobs()) {
      jobs.next = std::max(jobs.next, NumberOf(job.id()) + 1);
      if (job.state() == proto::JOB_STATE_RUNNING && job.owner_pid() == keeper_ &&
          NumberOf(job.id()) != 0) {
        jobs.running.push_back(job.id());
      }
      request.mutable_job_list()->set_after_id(job.id());
    }
    more = reply->job_list().more() && reply->job_list().jobs_size() > 0;
  }
  return jobs;
}

}  // namespace openhook::relay
