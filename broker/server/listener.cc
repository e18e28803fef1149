// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/listener.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

#include "broker/base/text.h"
#include "broker/server/in_flight.h"
#include "proto/bundle.h"

namespace openhook::server {

namespace {

namespace asio = boost::asio;
using asio::posix::stream_descriptor;

constexpr int kBacklog = 64;
constexpr int kMaxInOneTurn = 16;
constexpr std::chrono::milliseconds kLingerPause{100};

Result<UniqueFd> BindSocket(const ListenerOptions& options) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (options.path.size() >= sizeof(address.sun_path)) {
    return Fail(ErrorCode::kInvalidArgument, "the socket path " + Quote(options.path) +
                                                 " is longer than 107 bytes; use a shorter "
                                                 "--run-dir");
  }
  std::memcpy(address.sun_path, options.path.data(), options.path.size());
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.IsValid()) {
    return FailErrno(errno, "cannot make a socket");
  }
  // Ours alone: the store's lock says that no other broker of this VM runs.
  ::unlink(options.path.c_str());
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (::bind(socket.Get(), generic, sizeof(address)) != 0) {
    return FailErrno(errno, "cannot bind " + Quote(options.path));
  }
  // Nobody can connect before listen(), so the order of the next three does not matter to peers.
  if (::chown(options.path.c_str(), options.owner, options.group) != 0 ||
      ::chmod(options.path.c_str(), options.mode) != 0 || ::listen(socket.Get(), kBacklog) != 0) {
    return FailErrno(errno, "cannot set up " + Quote(options.path));
  }
  return socket;
}

}  // namespace

struct Session {
  Session(const asio::any_io_executor& executor, UniqueFd fd)
      : socket(executor, fd.Release()), pause(executor, asio::steady_timer::time_point::max()) {}

  // A reaction that comes while nobody waits for it is found by the one who asked.
  void Take(Reaction taken) {
    reaction = std::move(taken);
    GoOn();
  }
  void GoOn() {
    if (waiting) {
      pause.cancel();
    }
  }

  stream_descriptor socket;
  // Ends when the file system, or the worker that sends a descriptor, has answered.
  asio::steady_timer pause;
  Respond respond;
  std::unique_ptr<PacketHandler> handler;
  std::optional<Reaction> reaction;
  std::optional<bool> delivered;
  InFlight in_flight;
  bool waiting = false;
};

namespace {

enum class Served : std::uint8_t { kOne, kNothingThere, kLater, kEnd };

SentBundle Send(int fd, const Reaction& reaction) {
  return reaction.fd
             ? SendBundle(fd, reaction.reply.data(), reaction.reply.size(), *reaction.fd,
                          WaitMode::kDontWait)
             : SendBundle(fd, reaction.reply.data(), reaction.reply.size(), WaitMode::kDontWait);
}

// The reaction to a packet, out; kLater when it is not ours alone to send.
Served Reply(Session* session) {
  const Reaction reaction = *std::exchange(session->reaction, std::nullopt);
  const int fd = session->socket.native_handle();
  if (reaction.file) {
    session->in_flight.BeginSending(fd, *reaction.file);
  }
  const SentBundle sent = Send(fd, reaction);
  session->in_flight.EndSending();
  const bool more = sent.status == BundleStatus::kOk && reaction.after == AfterReply::kContinue;
  return more ? Served::kOne : Served::kEnd;
}

// One packet in, one out.
Served ServeOne(Session* session, std::vector<std::uint8_t>* buffer) {
  const int fd = session->socket.native_handle();
  const ReceivedBundle packet =
      ReceiveBundle(fd, buffer->data(), buffer->size(), DescriptorRule::kNone, WaitMode::kDontWait);
  if (packet.status == BundleStatus::kAgain) {
    return Served::kNothingThere;
  }
  if (packet.status != BundleStatus::kOk) {
    return Served::kEnd;
  }
  session->handler->Handle({buffer->data(), packet.size}, session->respond);
  return session->reaction && !session->reaction->held ? Reply(session) : Served::kLater;
}

// A client that opens many files has often sent its next request before the last one is finished
// here; to look costs less than to wait. Bounded, so that no session starves the others.
Served ServeReady(Session* session, std::vector<std::uint8_t>* buffer) {
  Served served = Served::kOne;
  for (int i = 0; i < kMaxInOneTurn && served == Served::kOne; ++i) {
    served = ServeOne(session, buffer);
  }
  return served;
}

template <class Done>
asio::awaitable<void> Pause(std::shared_ptr<Session> session, Done done) {
  boost::system::error_code ended;
  session->waiting = true;
  while (!done()) {
    co_await session->pause.async_wait(asio::redirect_error(asio::use_awaitable, ended));
  }
  session->waiting = false;
}

// Nothing of the session is read meanwhile: one request at a time, in order.
asio::awaitable<Served> ServeLater(std::shared_ptr<Session> session) {
  co_await Pause(session, [&] { return session->reaction.has_value(); });
  if (!session->reaction->held) {
    co_return Reply(session.get());
  }
  Reaction reaction = *std::exchange(session->reaction, std::nullopt);
  session->delivered.reset();
  if (reaction.file) {
    session->in_flight.BeginSending(session->socket.native_handle(), *reaction.file);
  }
  reaction.held->Deliver(UniqueFd(::fcntl(session->socket.native_handle(), F_DUPFD_CLOEXEC, 0)),
                         reaction.reply, [weak = std::weak_ptr<Session>(session)](bool sent) {
                           if (const auto live = weak.lock()) {
                             live->delivered = sent;
                             live->GoOn();
                           }
                         });
  co_await Pause(session, [&] { return session->delivered.has_value(); });
  session->in_flight.EndSending();
  co_return *session->delivered ? Served::kOne : Served::kEnd;
}

// What a peer has not read outlives our end of the connection. So that end stays until then: the
// peer's processes are still looked at, and the files in its queue are known.
asio::awaitable<void> Linger(std::shared_ptr<Session> session) {
  const int fd = session->socket.native_handle();
  ::shutdown(fd, SHUT_RDWR);
  while (!session->in_flight.Files(fd).empty()) {
    boost::system::error_code ended;
    session->pause.expires_after(kLingerPause);
    co_await session->pause.async_wait(asio::redirect_error(asio::use_awaitable, ended));
  }
}

asio::awaitable<void> RunSession(std::shared_ptr<Session> session,
                                 std::vector<std::uint8_t>* buffer, std::size_t* sessions) {
  Served served = Served::kOne;
  while (served != Served::kEnd) {
    boost::system::error_code error;
    co_await session->socket.async_wait(stream_descriptor::wait_read,
                                        asio::redirect_error(asio::use_awaitable, error));
    served = error ? Served::kEnd : ServeReady(session.get(), buffer);
    if (served == Served::kLater) {
      served = co_await ServeLater(session);
    }
  }
  co_await Linger(session);
  session->socket.close();
  --*sessions;
}

}  // namespace

Listener::Listener(asio::io_context& loop, ListenerOptions options, HandlerFactory factory,
                   UniqueFd socket)
    : options_(std::move(options)),
      factory_(std::move(factory)),
      socket_(loop, socket.Release()),
      pause_(loop),
      buffer_(options_.max_packet) {}

Listener::~Listener() { ::unlink(options_.path.c_str()); }

Result<std::unique_ptr<Listener>> Listener::Start(asio::io_context& loop, ListenerOptions options,
                                                  HandlerFactory factory) {
  auto socket = BindSocket(options);
  if (!socket) {
    return tl::make_unexpected(socket.error());
  }
  std::unique_ptr<Listener> listener(
      new Listener(loop, std::move(options), std::move(factory), std::move(*socket)));
  listener->SpawnAcceptor();
  return listener;
}

void Listener::SpawnAcceptor() {
  const auto accept_all = [this]() -> asio::awaitable<void> {
    for (;;) {
      boost::system::error_code error;
      co_await socket_.async_wait(stream_descriptor::wait_read,
                                  asio::redirect_error(asio::use_awaitable, error));
      if (error) {
        co_return;
      }
      UniqueFd peer(
          ::accept4(socket_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (peer.IsValid() && sessions_ < options_.max_sessions) {
        SpawnSession(std::move(peer));
      } else if (peer.IsValid()) {
        // Closed without a word to the peer; the handler's factory records who was turned away.
        (void)factory_(Fail(ErrorCode::kLimit, std::to_string(sessions_) +
                                                   " connections are open on this socket, and "
                                                   "more are not served"),
                       {});
      } else if (!peer.IsValid() && errno != EAGAIN && errno != ECONNABORTED) {
        // Out of descriptors, most likely: the connection stays in the backlog, and asking again at
        // once would only spin.
        pause_.expires_after(std::chrono::milliseconds(100));
        co_await pause_.async_wait(asio::redirect_error(asio::use_awaitable, error));
      }
    }
  };
  asio::co_spawn(socket_.get_executor(), accept_all, asio::detached);
}

std::set<FileKey> Listener::FilesInFlight() const {
  std::set<FileKey> files;
  for (const auto& one : live_) {
    if (const auto session = one.lock(); session && session->socket.is_open()) {
      files.merge(std::set(session->in_flight.Files(session->socket.native_handle())));
    }
  }
  return files;
}

void Listener::SpawnSession(UniqueFd socket) {
  const Result<Peer> peer = ReadPeer(socket);
  auto session = std::make_shared<Session>(socket_.get_executor(), std::move(socket));
  const std::weak_ptr<Session> weak(session);
  const PushPacket push = [weak](const std::string& packet) {
    const auto live = weak.lock();
    return live && live->socket.is_open() &&
           SendBundle(live->socket.native_handle(), packet.data(), packet.size(),
                      WaitMode::kDontWait)
                   .status == BundleStatus::kOk;
  };
  // Only ever called by what the session's own handler has begun.
  session->respond = [live = session.get()](Reaction reaction) { live->Take(std::move(reaction)); };
  session->handler = factory_(peer, push);
  ++sessions_;
  std::erase_if(live_, [](const auto& one) { return one.expired(); });
  live_.push_back(session);
  asio::co_spawn(socket_.get_executor(), RunSession(std::move(session), &buffer_, &sessions_),
                 asio::detached);
}

}  // namespace openhook::server
