// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Keeps the VM's AppArmor profile in step with the whitelist, by openhook-loader. The profile is
// always loaded whole. While one load is under way, all changes that come share the next, so many
// at a time cost two loads at most. A load that fails changes nothing in the kernel: what was to be
// widened is refused, and what was to be taken is tried again without it, and later again.

#ifndef BROKER_SERVER_PROFILE_KEEPER_H_
#define BROKER_SERVER_PROFILE_KEEPER_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/server/broker.h"
#include "broker/server/kernel_step.h"
#include "broker/server/loader_link.h"

namespace openhook::server {

class ProfileKeeper : public KernelStep {
 public:
  // `broker` outlives the keeper; it waits for the kernel from now on.
  ProfileKeeper(boost::asio::io_context& loop, Broker* broker);
  ~ProfileKeeper() override;
  ProfileKeeper(const ProfileKeeper&) = delete;
  ProfileKeeper& operator=(const ProfileKeeper&) = delete;

  // Loads the whole profile, which puts right whatever a crash left behind. `tried` is called once:
  // when it is in force, or when it is not after some seconds.
  void Start(std::function<void()> tried);

  void Widen(const whitelist::Change& change, Widened done) override;
  void Settle(Settled done) override;
  void Restore(Settled done) override;
  void Follow() override;

  struct State {
    std::string profile;
    bool in_step = false;
    std::size_t rules = 0;  // in force
    std::uint64_t revision = 0;
    std::string fault;  // why it is not in step
  };
  [[nodiscard]] State state() const;

 private:
  class Share;
  struct Waiter {
    std::optional<apparmor::Rules> more;  // waits for these; nothing: for just the whitelist
    std::function<void(Result<void>)> done;
    bool retried = false;
  };
  // Shared with Widenings, which may outlive the keeper.
  using Shares = std::map<std::uint64_t, apparmor::Rules>;

  [[nodiscard]] apparmor::Rules Wanted() const;
  [[nodiscard]] bool IsJustTheWhitelist(const apparmor::Rules& rules) const;
  [[nodiscard]] bool Satisfies(const apparmor::Rules& rules, const Waiter& waiter) const;
  void Await(Waiter waiter);
  void Load();
  void TakeAnswer(const Result<void>& loaded);
  void TellAll(std::vector<Waiter> waiters, const Result<void>& loaded);
  void Report(audit::Outcome outcome, const std::string& reason);
  void RetryLater();
  void Tried();

  Broker* broker_;
  std::string profile_;
  std::shared_ptr<Shares> shares_ = std::make_shared<Shares>();
  std::uint64_t next_share_ = 1;
  std::optional<apparmor::Rules> in_force_;  // nothing: not known
  std::optional<apparmor::Rules> loading_;
  std::vector<Waiter> in_this_load_;
  std::vector<Waiter> in_next_load_;
  std::string fault_;
  std::chrono::steady_clock::time_point restore_again_;
  std::function<void()> tried_;
  boost::asio::steady_timer retry_;
  boost::asio::steady_timer patience_;
  LoaderLink link_;
};

}  // namespace openhook::server

#endif  // BROKER_SERVER_PROFILE_KEEPER_H_
