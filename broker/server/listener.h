// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A SEQPACKET socket in the file system and the sessions of those who connect to it. One coroutine
// per session: wait, receive one packet, ask the handler, send the reply; a handler that has to
// wait itself holds up its own session only. Nothing is queued: a peer that does not read its reply
// is dropped, so no descriptor ever waits in a kernel queue for it.

#ifndef BROKER_SERVER_LISTENER_H_
#define BROKER_SERVER_LISTENER_H_

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

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

class Listener {
 public:
  // Binds and listens; a stale socket of a broker that died is replaced. Errors name the path.
  static Result<std::unique_ptr<Listener>> Start(boost::asio::io_context& loop,
                                                 ListenerOptions options, HandlerFactory factory);
  ~Listener();

  [[nodiscard]] std::size_t sessions() const { return sessions_; }
  // True: a peer has not read all that was sent to it.
  [[nodiscard]] bool HasUnreadReplies() const;

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
  // Of the sessions that live; the others are dropped when a new one comes.
  std::vector<std::weak_ptr<boost::asio::posix::stream_descriptor>> sockets_;
  // Shared by all sessions: between receiving and answering nothing else runs.
  std::vector<std::uint8_t> buffer_;
};

}  // namespace openhook::server

#endif  // BROKER_SERVER_LISTENER_H_
