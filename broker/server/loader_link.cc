// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/loader_link.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "broker/base/limits.h"
#include "broker/base/text.h"
#include "broker/base/unique_fd.h"
#include "proto/bundle.h"
#include "proto/loader.pb.h"

namespace openhook::server {

namespace {

using boost::asio::posix::stream_descriptor;

constexpr std::chrono::seconds kPause{1};
// Room for what a packet holds beside its rules, and what each rule takes beside its path.
constexpr std::size_t kPacketOverhead = 256;
constexpr std::size_t kRuleOverhead = 16;

std::vector<std::string> PacketsOf(const apparmor::Rules& rules, std::uint64_t id,
                                   const std::string& profile) {
  std::vector<std::string> packets;
  proto::LoaderRequest request;
  request.set_id(id);
  request.set_profile(profile);
  std::size_t bytes = kPacketOverhead;
  for (const auto& [path, access] : rules) {
    const std::size_t more = path.str().size() + kRuleOverhead;
    if (bytes + more > limits::kMaxLoaderPacket) {
      request.set_more(true);
      packets.push_back(request.SerializeAsString());
      request.clear_rules();
      bytes = kPacketOverhead;
    }
    bytes += more;
    auto* rule = request.add_rules();
    rule->set_path(path.str());
    rule->set_access(access == apparmor::RuleAccess::kReadWrite ? proto::PROFILE_ACCESS_READ_WRITE
                                                                : proto::PROFILE_ACCESS_READ);
  }
  request.set_more(false);
  packets.push_back(request.SerializeAsString());
  std::reverse(packets.begin(), packets.end());
  return packets;
}

}  // namespace

LoaderLink::LoaderLink(boost::asio::io_context& loop, std::string socket, std::string profile,
                       Listener listener)
    : loop_(loop),
      path_(std::move(socket)),
      profile_(std::move(profile)),
      listener_(std::move(listener)),
      socket_(loop),
      retry_(loop),
      buffer_(limits::kMaxLoaderPacket) {}

Result<void> LoaderLink::TryConnect() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const bool fits = path_.size() < sizeof(address.sun_path);
  std::memcpy(address.sun_path, path_.data(), fits ? path_.size() : 0);
  if (!fits || !socket.IsValid() ||
      ::connect(socket.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return tl::make_unexpected(
        Error{ErrorCode::kUnavailable, fits ? errno : ENAMETOOLONG,
              "openhook-loader does not serve " + Quote(path_) +
                  ", so the kernel cannot be told what the VM may use; start it for this VM"});
  }
  boost::system::error_code failed;
  socket_.assign(socket.Get(), failed);
  if (failed) {
    return Fail(ErrorCode::kIo, "the event loop does not take a socket: " + failed.message());
  }
  (void)socket.Release();
  AwaitReply();
  return {};
}

void LoaderLink::Connect() {
  if (socket_.is_open()) {
    return;
  }
  if (TryConnect()) {
    return listener_.connected();
  }
  retry_.expires_after(kPause);
  retry_.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      Connect();
    }
  });
}

void LoaderLink::Send(const apparmor::Rules& rules, Replied replied) {
  CheckOrDie(!replied_, "one list of rules is sent at a time");
  replied_ = std::move(replied);
  if (!socket_.is_open()) {
    if (auto connected = TryConnect(); !connected) {
      boost::asio::post(loop_,
                        [this, error = connected.error()] { Answer(tl::make_unexpected(error)); });
      return;
    }
  }
  packets_ = PacketsOf(rules, ++last_id_, profile_);
  Flush();
}

// A list is longer than a socket's buffer: the rest goes when the loader has read.
void LoaderLink::Flush() {
  while (!packets_.empty()) {
    const std::string& packet = packets_.back();
    const SentBundle sent =
        SendBundle(socket_.native_handle(), packet.data(), packet.size(), WaitMode::kDontWait);
    if (sent.status == BundleStatus::kAgain) {
      return socket_.async_wait(stream_descriptor::wait_write,
                                [this](const boost::system::error_code& error) {
                                  if (!error) {
                                    Flush();
                                  }
                                });
    }
    if (sent.status != BundleStatus::kOk) {
      // The reader finds the same, and says so.
      return;
    }
    packets_.pop_back();
  }
}

void LoaderLink::AwaitReply() {
  socket_.async_wait(stream_descriptor::wait_read, [this](const boost::system::error_code& error) {
    if (!error) {
      ReadReply();
    }
  });
}

void LoaderLink::ReadReply() {
  const ReceivedBundle packet =
      ReceiveBundle(socket_.native_handle(), buffer_.data(), buffer_.size(), DescriptorRule::kNone,
                    WaitMode::kDontWait);
  if (packet.status == BundleStatus::kOk) {
    AwaitReply();
    return TakeReply(packet.size);
  }
  if (packet.status == BundleStatus::kAgain) {
    return AwaitReply();
  }
  Lose();
}

void LoaderLink::TakeReply(std::size_t size) {
  proto::LoaderReply reply;
  if (!reply.ParseFromArray(buffer_.data(), static_cast<int>(size))) {
    return Lose();
  }
  revision_ = reply.revision();
  switch (reply.outcome()) {
    case proto::LOADER_OUTCOME_PUT_RIGHT:
      return listener_.meddled({}, reply.reason());
    case proto::LOADER_OUTCOME_NOT_PUT_RIGHT:
      return listener_.meddled(Fail(ErrorCode::kUnavailable, reply.reason()), reply.reason());
    default:
      break;
  }
  if (reply.id() != last_id_) {
    return;
  }
  packets_.clear();
  if (reply.outcome() == proto::LOADER_OUTCOME_IN_FORCE) {
    return Answer({});
  }
  Answer(Fail(reply.outcome() == proto::LOADER_OUTCOME_REFUSED ? ErrorCode::kPermission
                                                               : ErrorCode::kUnavailable,
              "openhook-loader: " + reply.reason()));
}

void LoaderLink::Lose() {
  boost::system::error_code ignored;
  socket_.close(ignored);
  packets_.clear();
  listener_.lost();
  Answer(Fail(ErrorCode::kUnavailable,
              "openhook-loader went away before it answered; is it being restarted?"));
  Connect();
}

void LoaderLink::Answer(Result<void> result) {
  if (Replied replied = std::exchange(replied_, nullptr)) {
    replied(std::move(result));
  }
}

}  // namespace openhook::server
