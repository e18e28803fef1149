// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The broker's end of the connection to openhook-loader: connects, and again when the loader was
// restarted; sends one list of rules at a time; hears what the loader says unasked. Never waits.

#ifndef BROKER_SERVER_LOADER_LINK_H_
#define BROKER_SERVER_LOADER_LINK_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "broker/base/result.h"
#include "policy/profile/apparmor_profile.h"

namespace openhook::server {

class LoaderLink {
 public:
  struct Listener {
    std::function<void()> connected;
    std::function<void()> lost;
    // Another program changed the profile: it was put right, or could not be.
    std::function<void(Result<void> put_right, const std::string& reason)> meddled;
  };
  LoaderLink(boost::asio::io_context& loop, std::string socket, std::string profile,
             Listener listener);

  // Tries to connect now, and every second until it succeeds.
  void Connect();
  [[nodiscard]] bool connected() const { return socket_.is_open(); }

  // Calls `replied` once, never before it returns: when the kernel gives just these, or with the
  // error. Not to be called before the last one has replied. Errors: kUnavailable when there is no
  // loader, or none any more; else what the loader says.
  using Replied = std::function<void(Result<void>)>;
  void Send(const apparmor::Rules& rules, Replied replied);

  // The kernel's, as the loader told last.
  [[nodiscard]] std::uint64_t revision() const { return revision_; }

 private:
  Result<void> TryConnect();
  void AwaitReply();
  void ReadReply();
  void TakeReply(std::size_t size);
  void Flush();
  void Lose();
  void Answer(Result<void> result);

  boost::asio::io_context& loop_;
  std::string path_;
  std::string profile_;
  Listener listener_;
  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer retry_;
  std::uint64_t last_id_ = 0;
  std::uint64_t revision_ = 0;
  Replied replied_;
  std::vector<std::string> packets_;  // still to be sent, the last one first
  std::vector<std::uint8_t> buffer_;
};

}  // namespace openhook::server

#endif  // BROKER_SERVER_LOADER_LINK_H_
