// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tests/unit/server/fake_loader.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <utility>
#include <vector>

#include "broker/base/limits.h"
#include "proto/bundle.h"

namespace openhook::server {

FakeLoader::FakeLoader(const std::string& path)
    : listening_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  EXPECT_EQ(::bind(listening_.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
            0);
  EXPECT_EQ(::listen(listening_.Get(), 1), 0);
}

std::optional<FakeLoader::List> FakeLoader::Take() {
  if (UniqueFd fresh(::accept4(listening_.Get(), nullptr, nullptr, SOCK_CLOEXEC));
      fresh.IsValid()) {
    client_ = std::move(fresh);
    list_.clear();
  }
  std::vector<std::uint8_t> buffer(limits::kMaxLoaderPacket);
  for (;;) {
    const ReceivedBundle packet = ReceiveBundle(client_.Get(), buffer.data(), buffer.size(),
                                                DescriptorRule::kNone, WaitMode::kDontWait);
    proto::LoaderRequest request;
    if (packet.status != BundleStatus::kOk ||
        !request.ParseFromArray(buffer.data(), static_cast<int>(packet.size))) {
      return std::nullopt;
    }
    ++packets_;
    id_ = request.id();
    for (const auto& rule : request.rules()) {
      list_[rule.path()] = rule.access() == proto::PROFILE_ACCESS_READ_WRITE;
    }
    if (!request.more()) {
      ++lists_;
      return std::exchange(list_, {});
    }
  }
}

void FakeLoader::Answer(proto::LoaderOutcome outcome, const std::string& reason) {
  proto::LoaderReply reply;
  reply.set_id(id_);
  reply.set_outcome(outcome);
  reply.set_reason(reason);
  reply.set_revision(7);
  Send(reply);
}

void FakeLoader::Tell(proto::LoaderOutcome outcome, const std::string& reason) {
  proto::LoaderReply reply;
  reply.set_outcome(outcome);
  reply.set_reason(reason);
  Send(reply);
}

void FakeLoader::Send(const proto::LoaderReply& reply) const {
  const std::string packet = reply.SerializeAsString();
  EXPECT_EQ(SendBundle(client_.Get(), packet.data(), packet.size(), WaitMode::kWait).status,
            BundleStatus::kOk);
}

}  // namespace openhook::server
