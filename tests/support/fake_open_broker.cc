// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tests/support/fake_open_broker.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <utility>

#include "broker/base/limits.h"
#include "proto/bundle.h"

namespace openhook::testing_support {

namespace {

UniqueFd Listen(const std::string& path) {
  ::unlink(path.c_str());
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (::bind(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::chmod(path.c_str(), 0666) != 0 || ::listen(fd.Get(), 64) != 0) {
    throw std::runtime_error("cannot listen at " + path);
  }
  return fd;
}

FakeReply WithOutcome(proto::Outcome outcome, int sys_errno, const std::string& reason) {
  FakeReply fake;
  fake.reply.set_outcome(outcome);
  fake.reply.set_sys_errno(sys_errno);
  fake.reply.set_reason(reason);
  return fake;
}

FakeReply ThenOnly(FakeReply::Then then) {
  FakeReply fake;
  fake.then = then;
  return fake;
}

// False when the connection is over.
bool Send(int socket, FakeReply fake, std::uint64_t id) {
  if (fake.then == FakeReply::Then::kCloseConnection) {
    return false;
  }
  if (fake.then == FakeReply::Then::kSayNothing) {
    return true;
  }
  if (!fake.keep_id) {
    fake.reply.set_id(id);
  }
  const std::string bytes = fake.reply.SerializeAsString();
  const SentBundle sent = fake.descriptor.IsValid()
                              ? SendBundle(socket, bytes.data(), bytes.size(),
                                           IoFd(std::move(fake.descriptor)), WaitMode::kWait)
                              : SendBundle(socket, bytes.data(), bytes.size(), WaitMode::kWait);
  return sent.status == BundleStatus::kOk;
}

}  // namespace

FakeReply Ok(const std::string& content) {
  FakeReply fake = WithOutcome(proto::OUTCOME_OK, 0, "");
  fake.reply.set_descriptor(true);
  fake.descriptor = UniqueFd(::memfd_create("fake", MFD_CLOEXEC));
  if (::pwrite(fake.descriptor.Get(), content.data(), content.size(), 0) < 0) {
    throw std::runtime_error("cannot fill a memory file");
  }
  return fake;
}

FakeReply Deny(int sys_errno, const std::string& reason) {
  return WithOutcome(proto::OUTCOME_DENIED, sys_errno, reason);
}

FakeReply Fail(int sys_errno) { return WithOutcome(proto::OUTCOME_FAILED, sys_errno, "failed"); }

FakeReply NotMine() { return WithOutcome(proto::OUTCOME_NOT_MINE, 0, ""); }

FakeReply Close() { return ThenOnly(FakeReply::Then::kCloseConnection); }

FakeReply SayNothing() { return ThenOnly(FakeReply::Then::kSayNothing); }

FakeOpenBroker::FakeOpenBroker(std::string path, Handler handler)
    : path_(std::move(path)),
      handler_(std::move(handler)),
      listener_(Listen(path_)),
      acceptor_([this] { Accept(); }) {}

FakeOpenBroker::~FakeOpenBroker() { Stop(); }

void FakeOpenBroker::Stop() {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) {
      return;
    }
    stopped_ = true;
    ::unlink(path_.c_str());
    ::shutdown(listener_.Get(), SHUT_RDWR);  // wakes accept
    for (const UniqueFd& connection : connections_) {
      ::shutdown(connection.Get(), SHUT_RDWR);
    }
  }
  acceptor_.join();
  for (std::thread& server : servers_) {
    server.join();
  }
  listener_.Reset();
}

void FakeOpenBroker::RefuseHello(const std::string& reason) {
  const std::lock_guard lock(mutex_);
  hello_refusal_ = reason;
}

std::vector<proto::Request> FakeOpenBroker::Requests() {
  const std::lock_guard lock(mutex_);
  return requests_;
}

bool FakeOpenBroker::AwaitRequests(std::size_t count) {
  std::unique_lock lock(mutex_);
  return arrived_.wait_for(lock, std::chrono::seconds(10),
                           [&] { return requests_.size() >= count; });
}

std::size_t FakeOpenBroker::Connections() {
  const std::lock_guard lock(mutex_);
  return connections_.size();
}

std::vector<std::string> FakeOpenBroker::Programs() {
  const std::lock_guard lock(mutex_);
  return programs_;
}

void FakeOpenBroker::Accept() {
  for (;;) {
    UniqueFd connection(::accept4(listener_.Get(), nullptr, nullptr, SOCK_CLOEXEC));
    const std::lock_guard lock(mutex_);
    if (stopped_) {
      return;
    }
    if (connection.IsValid()) {
      const int socket = connection.Get();
      connections_.push_back(std::move(connection));
      servers_.emplace_back([this, socket] { Serve(socket); });
    }
  }
}

void FakeOpenBroker::Serve(int socket) {
  std::array<char, limits::kMaxOpenPacket> buffer;
  for (;;) {
    const ReceivedBundle received =
        ReceiveBundle(socket, buffer.data(), buffer.size(), DescriptorRule::kNone, WaitMode::kWait);
    proto::Request request;
    if (received.status != BundleStatus::kOk ||
        !request.ParseFromArray(buffer.data(), static_cast<int>(received.size))) {
      break;
    }
    FakeReply fake;
    if (request.has_hello()) {
      fake.reply = AnswerHello(request);
    } else {
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
      }
      arrived_.notify_all();
      fake = handler_(request);
    }
    if (!Send(socket, std::move(fake), request.id())) {
      break;
    }
  }
  ::shutdown(socket, SHUT_RDWR);
}

proto::Reply FakeOpenBroker::AnswerHello(const proto::Request& request) {
  const std::lock_guard lock(mutex_);
  programs_.push_back(request.hello().program());
  proto::Reply reply;
  if (!hello_refusal_.empty()) {
    reply.set_outcome(proto::OUTCOME_DENIED);
    reply.set_reason(hello_refusal_);
    return reply;
  }
  reply.set_outcome(proto::OUTCOME_OK);
  reply.mutable_hello()->set_version(1);
  return reply;
}

}  // namespace openhook::testing_support
