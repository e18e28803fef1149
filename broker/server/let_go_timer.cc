// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/let_go_timer.h"

#include <algorithm>

namespace openhook::server {

namespace {

constexpr std::chrono::milliseconds kFirstPause{20};
constexpr std::chrono::milliseconds kLongestPause{2000};

}  // namespace

LetGoTimer::LetGoTimer(boost::asio::io_context& loop, Broker* broker)
    : timer_(loop), broker_(broker) {
  broker_->WatchEnded([this] { Start(); });
  if (!broker_->whitelist().ended().empty()) {
    Start();
  }
}

LetGoTimer::~LetGoTimer() { broker_->WatchEnded({}); }

void LetGoTimer::Start() {
  pause_ = kFirstPause;
  Wait();
}

void LetGoTimer::Wait() {
  timer_.expires_after(pause_);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) {
      return;
    }
    broker_->LetGo();
    if (!broker_->whitelist().ended().empty()) {
      pause_ = std::min(pause_ * 2, kLongestPause);
      Wait();
    }
  });
}

}  // namespace openhook::server
