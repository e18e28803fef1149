// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Looks, while files of ended leases are held, whether the VM has closed them: soon after an
// ending, then less and less often. Asleep otherwise.

#ifndef BROKER_SERVER_LET_GO_TIMER_H_
#define BROKER_SERVER_LET_GO_TIMER_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>

#include "broker/server/broker.h"

namespace openhook::server {

class LetGoTimer {
 public:
  // `broker` outlives the timer; its ended grants are watched from now on.
  LetGoTimer(boost::asio::io_context& loop, Broker* broker);
  ~LetGoTimer();
  LetGoTimer(const LetGoTimer&) = delete;
  LetGoTimer& operator=(const LetGoTimer&) = delete;

 private:
  void Start();
  void Wait();

  boost::asio::steady_timer timer_;
  Broker* broker_;
  std::chrono::milliseconds pause_{0};
};

}  // namespace openhook::server

#endif  // BROKER_SERVER_LET_GO_TIMER_H_
