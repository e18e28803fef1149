// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A SEQPACKET socket in the file system and the sessions of those who connect to it. One coroutine
// per session: wait, receive one packet, ask the handler, send the reply; a handler that has to
// wait itself holds up its own session only. A peer whose queue is full of replies is dropped; what
// it has not read yet is known (in_flight.h), and its connection counts until it has read it or is
// gone.

#ifndef BROKER_SERVER_LISTENER_H_
#define BROKER_SERVER_LISTENER_H_

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "broker/base/file_identity.h"
#include "broker/base/result.h"
#include "broker/server/packet_handler.h"

namespace openhook::server {

struct ListenerOptions {
  std::string path;  // in a directory that only we can write to
  mode_t mode = 0600;
  uid_t owner = 0;
  gid_t group = 0;
  std::size_t max_sessions = 0;
  std::size_t max_packet = 0;  // bytes
};

struct Session;

class Listener {
 public:
  // Binds and listens; a stale socket of a broker that died is replaced. Errors name the path.
  static Result<std::unique_ptr<Listener>> Start(boost::asio::io_context& loop,
                                                 ListenerOptions options, HandlerFactory factory);
  ~Listener();

  [[nodiscard]] std::size_t sessions() const { return sessions_; }
  // The files whose descriptors some peer has been sent and may not have received yet.
  [[nodiscard]] std::set<FileKey> FilesInFlight() const;

 private:
  Listener(boost::asio::io_context& loop, ListenerOptions options, HandlerFactory factory,
           UniqueFd socket);
  void SpawnAcceptor();
  void SpawnSession(UniqueFd socket);

  ListenerOptions options_;
  HandlerFactory factory_;
  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer pause_;
  std::size_t sessions_ = 0;
  // Those that have ended are dropped when a new one comes.
  std::vector<std::weak_ptr<Session>> live_;
  // Shared by all sessions: between receiving and answering nothing else runs.
  std::vector<std::uint8_t> buffer_;
};

}  // namespace openhook::server

#endif  // BROKER_SERVER_LISTENER_H_
