// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/profile_keeper.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "broker/server/profile_rules.h"

namespace openhook::server {

namespace {

constexpr std::chrono::seconds kRetryPause{1};
constexpr std::chrono::seconds kStartPatience{10};
// An administrator's rules may take something away for good, and QEMU may go on asking for it: the
// pause is this at least, and as many times what the last restoring took.
constexpr std::chrono::milliseconds kRestorePause{250};
constexpr int kRestoreShare = 9;

bool Covers(const apparmor::Rules& rules, const apparmor::Rules& needed) {
  return std::all_of(needed.begin(), needed.end(), [&](const auto& one) {
    const auto rule = rules.find(one.first);
    return rule != rules.end() &&
           (rule->second == one.second || rule->second == apparmor::RuleAccess::kReadWrite);
  });
}

}  // namespace

// Rules that are wanted beside the whitelist's as long as this lives.
class ProfileKeeper::Share : public Widening {
 public:
  Share(std::shared_ptr<Shares> shares, std::uint64_t id) : shares_(std::move(shares)), id_(id) {}
  ~Share() override { shares_->erase(id_); }
  Share(const Share&) = delete;
  Share& operator=(const Share&) = delete;

 private:
  std::shared_ptr<Shares> shares_;
  std::uint64_t id_;
};

ProfileKeeper::ProfileKeeper(boost::asio::io_context& loop, Broker* broker)
    : broker_(broker),
      profile_(apparmor::ProfileName(broker->options().vm)),
      retry_(loop),
      patience_(loop),
      link_(loop, broker->options().LoaderSocket(), profile_,
            {.connected = [this] { Follow(); },
             .lost = [this] { in_force_.reset(); },
             .meddled =
                 [this](const Result<void>& put_right, const std::string& reason) {
                   Report(audit::Outcome::kFail, reason);
                   if (!put_right) {
                     in_force_.reset();
                     fault_ = reason;
                     RetryLater();
                   }
                 }}) {
  broker_->KeepInStep(this);
}

ProfileKeeper::~ProfileKeeper() { broker_->KeepInStep(nullptr); }

void ProfileKeeper::Start(std::function<void()> tried) {
  tried_ = std::move(tried);
  patience_.expires_after(kStartPatience);
  patience_.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      Report(audit::Outcome::kFail, fault_.empty() ? "openhook-loader has not answered" : fault_);
      Tried();
    }
  });
  link_.Connect();
}

void ProfileKeeper::Tried() {
  if (auto tried = std::exchange(tried_, nullptr)) {
    patience_.cancel();
    tried();
  }
}

apparmor::Rules ProfileKeeper::Wanted() const {
  apparmor::Rules wanted = RulesOf(broker_->whitelist());
  for (const auto& [id, rules] : *shares_) {
    AddRules(rules, &wanted);
  }
  return wanted;
}

void ProfileKeeper::Widen(const whitelist::Change& change, Widened done) {
  apparmor::Rules rules = RulesOf(change);
  auto share = std::make_shared<Share>(shares_, next_share_);
  shares_->emplace(next_share_++, rules);
  if (rules.empty()) {
    return done(std::shared_ptr<Widening>(std::move(share)));
  }
  if (auto fits = apparmor::CheckFits(Wanted()); !fits) {
    share.reset();
    return done(tl::make_unexpected(fits.error()));
  }
  Await({std::move(rules), [share, done = std::move(done)](const Result<void>& loaded) mutable {
           if (!loaded) {
             share.reset();
             return done(tl::make_unexpected(loaded.error()));
           }
           done(std::shared_ptr<Widening>(std::move(share)));
         }});
}

void ProfileKeeper::Settle(Settled done) { Await({std::nullopt, std::move(done)}); }

// Those who ask while that load is under way share it.
void ProfileKeeper::Restore(Settled done) {
  const auto begun = std::chrono::steady_clock::now();
  if (!loading_ && begun < restore_again_) {
    return done(Fail(ErrorCode::kUnavailable, "the profile was loaded again a moment ago"));
  }
  in_force_.reset();
  Await({std::nullopt, [this, begun, done = std::move(done)](const Result<void>& loaded) {
           const auto now = std::chrono::steady_clock::now();
           restore_again_ = now + std::max<std::chrono::steady_clock::duration>(
                                      kRestoreShare * (now - begun), kRestorePause);
           done(loaded);
         }});
}

void ProfileKeeper::Follow() {
  if (!in_force_ || !IsJustTheWhitelist(*in_force_)) {
    Await({std::nullopt, [](const Result<void>&) {}});
  }
}

// All that the whitelist gives, and nothing that neither it nor a change under way does.
bool ProfileKeeper::IsJustTheWhitelist(const apparmor::Rules& rules) const {
  return Covers(rules, RulesOf(broker_->whitelist())) && Covers(Wanted(), rules);
}

bool ProfileKeeper::Satisfies(const apparmor::Rules& rules, const Waiter& waiter) const {
  return waiter.more ? Covers(rules, *waiter.more) : IsJustTheWhitelist(rules);
}

// While a load is under way the kernel has the rules before it or those after it.
void ProfileKeeper::Await(Waiter waiter) {
  const bool after = !loading_ || Satisfies(*loading_, waiter);
  if (after && in_force_ && Satisfies(*in_force_, waiter)) {
    return waiter.done({});
  }
  (loading_ && after ? in_this_load_ : in_next_load_).push_back(std::move(waiter));
  if (!loading_) {
    Load();
  }
}

void ProfileKeeper::Load() {
  in_this_load_ = std::exchange(in_next_load_, {});
  loading_ = Wanted();
  link_.Send(*loading_, [this](const Result<void>& loaded) { TakeAnswer(loaded); });
}

void ProfileKeeper::TakeAnswer(const Result<void>& loaded) {
  if (loaded) {
    in_force_ = std::exchange(loading_, std::nullopt);
    fault_.clear();
    Tried();
  } else {
    loading_.reset();
    // The same every second until it is mended; said once.
    if (fault_ != loaded.error().Message()) {
      fault_ = loaded.error().Message();
      Report(audit::Outcome::kFail, fault_);
    }
  }
  TellAll(std::exchange(in_this_load_, {}), loaded);
  for (Waiter& waiter : std::exchange(in_next_load_, {})) {
    Await(std::move(waiter));
  }
  if (!loaded) {
    RetryLater();
  }
}

// Who wanted more made the load fail, perhaps; who only waits for the kernel to forget something
// gets another load without that.
void ProfileKeeper::TellAll(std::vector<Waiter> waiters, const Result<void>& loaded) {
  const bool more_was_wanted = std::any_of(
      waiters.begin(), waiters.end(), [](const Waiter& waiter) { return waiter.more.has_value(); });
  for (Waiter& waiter : waiters) {
    const bool again = !loaded && more_was_wanted && !waiter.retried && !waiter.more;
    if (again) {
      waiter.retried = true;
      in_next_load_.push_back(std::move(waiter));
    } else {
      waiter.done(loaded);
    }
  }
}

void ProfileKeeper::RetryLater() {
  retry_.expires_after(kRetryPause);
  retry_.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      Follow();
    }
  });
}

void ProfileKeeper::Report(audit::Outcome outcome, const std::string& reason) {
  audit::Event event;
  event.operation = audit::Operation::kProfile;
  event.outcome = outcome;
  event.rule = ToString(event.operation);
  event.reason = reason;
  broker_->audit().Record(std::move(event));
}

ProfileKeeper::State ProfileKeeper::state() const {
  const bool in_step = in_force_ && IsJustTheWhitelist(*in_force_);
  return {profile_, in_step, in_force_ ? in_force_->size() : 0, link_.revision(),
          in_step ? "" : fault_};
}

}  // namespace openhook::server
