// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tests/unit/ctl/fake_broker.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "broker/base/result.h"

namespace openhook::ctl {

namespace {

UniqueFd Accept(const UniqueFd& listener) {
  return UniqueFd(::accept4(listener.Get(), nullptr, nullptr, SOCK_CLOEXEC));
}

// Empty when the client has gone.
std::string Receive(const UniqueFd& client) {
  std::array<char, 128 * 1024> buffer{};
  const ssize_t size = ::recv(client.Get(), buffer.data(), buffer.size(), 0);
  return size > 0 ? std::string(buffer.data(), static_cast<std::size_t>(size)) : std::string();
}

void Send(const UniqueFd& client, const std::string& packet) {
  // A client that has seen enough may be gone by now.
  (void)::send(client.Get(), packet.data(), packet.size(), MSG_NOSIGNAL);
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  std::string name = "/tmp/openhook-ctl-XXXXXX";
  CheckOrDie(::mkdtemp(name.data()) != nullptr, "a temporary directory");
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() { std::filesystem::remove_all(path_); }

UniqueFd ListenAt(const std::string& path) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  CheckOrDie(::bind(socket.Get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 &&
                 ::listen(socket.Get(), 8) == 0,
             "a listening socket");
  return socket;
}

FakeBroker::FakeBroker(std::vector<proto::ControlReply> replies)
    : listener_(ListenAt(socket())),
      server_([this, replies = std::move(replies)]() mutable { Serve(std::move(replies)); }) {}

FakeBroker::FakeBroker(std::vector<std::string> packets)
    : listener_(ListenAt(socket())),
      server_([this, packets = std::move(packets)] { ServeRaw(packets); }) {}

FakeBroker::~FakeBroker() {
  // Wakes the accept(2) of a script that no client ever came to.
  ::shutdown(listener_.Get(), SHUT_RDWR);
  if (server_.joinable()) {
    server_.join();
  }
}

std::vector<proto::ControlRequest> FakeBroker::Requests() {
  server_.join();
  return requests_;
}

void FakeBroker::Serve(std::vector<proto::ControlReply> replies) {
  const UniqueFd client = Accept(listener_);
  replies.insert(replies.begin(), Greeting());
  std::uint64_t id = 0;
  bool asked = false;
  for (proto::ControlReply& reply : replies) {
    // After a watch several replies follow one request.
    if (!asked || !reply.has_watch() || requests_.empty()) {
      proto::ControlRequest request;
      const std::string packet = Receive(client);
      if (packet.empty() || !request.ParseFromString(packet)) {
        return;
      }
      id = request.id();
      asked = reply.has_watch();
      if (!request.has_hello()) {
        requests_.push_back(std::move(request));
      }
    }
    reply.set_id(reply.id() == 0 ? id : reply.id());
    Send(client, reply.SerializeAsString());
  }
}

void FakeBroker::ServeRaw(const std::vector<std::string>& packets) {
  const UniqueFd client = Accept(listener_);
  for (const std::string& packet : packets) {
    if (Receive(client).empty()) {
      return;
    }
    Send(client, packet);
  }
}

proto::ControlReply Greeting() {
  proto::ControlReply reply = Reply(proto::OUTCOME_OK);
  reply.mutable_hello()->set_version(1);
  reply.mutable_hello()->set_max_packet(128 * 1024);
  reply.mutable_hello()->set_vm("4dea22b3-1d52-d8f3-2516-782e98ab3fa0");
  return reply;
}

proto::ControlReply Reply(proto::Outcome outcome) {
  proto::ControlReply reply;
  reply.set_outcome(outcome);
  return reply;
}

}  // namespace openhook::ctl
