// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/relay/worker.h"

#include <cap-ng.h>
#include <poll.h>
#include <sys/prctl.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <optional>

#include "broker/relay/broker_link.h"
#include "broker/relay/command_line.h"
#include "broker/relay/gate.h"
#include "broker/relay/manager_session.h"
#include "broker/relay/qemu_watch.h"
#include "broker/relay/sockets.h"
#include "policy/profile/landlock.h"

namespace openhook::relay {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kTickMs = 200;
// A command that was passed on before its manager went may still be on its way into QEMU.
constexpr std::chrono::milliseconds kSettling(500);

// What is parsed here comes from QEMU. The process needs its sockets and the broker's, nothing
// else: no capability, and where the kernel has Landlock, no file.
Result<void> GiveUpRights() {
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return FailErrno(errno, "cannot set no_new_privs");
  }
  capng_clear(CAPNG_SELECT_CAPS);
  if (capng_apply(CAPNG_SELECT_CAPS) != 0) {
    return FailErrno(errno, "cannot drop capabilities");
  }
  const auto rules = landlock::Ruleset::DenyAll();
  if (!rules) {
    return rules.error().code == ErrorCode::kUnsupported
               ? Result<void>()
               : Result<void>(tl::make_unexpected(rules.error()));
  }
  return rules->RestrictSelf();
}

class Worker {
 public:
  Worker(const Options& options, int listener, Gate* gate)
      : options_(options), listener_(listener), gate_(gate), watch_(options.watch_name, gate) {}

  void Run() {
    AskForJobsSoon();
    while (Turn()) {
    }
    session_.reset();
    gate_->QemuEnded();
  }

 private:
  // False: QEMU is gone.
  bool Turn() {
    if (!watch_.Connect()) {
      return false;
    }
    std::array<pollfd, 4> fds{watch_.Wants(), pollfd{MayAccept() ? listener_ : -1, POLLIN, 0},
                              session_ ? session_->WantsOfManager() : pollfd{-1, 0, 0},
                              session_ ? session_->WantsOfQemu() : pollfd{-1, 0, 0}};
    if (::poll(fds.data(), fds.size(), NeedsTicks() ? kTickMs : -1) < 0) {
      return errno == EINTR;
    }
    watch_.Serve(fds[0].revents);
    if (session_) {
      ServeSession(fds[2].revents, fds[3].revents);
    } else if (fds[1].revents != 0) {
      BeginSession();
    }
    Tick();
    return true;
  }

  [[nodiscard]] bool NeedsTicks() const {
    return gate_->Owes() || gate_->WaitsForMigration() || gate_->HasUnanswered() || ask_at_ ||
           !watch_.IsConnected() || (!session_ && !MayAccept());
  }

  [[nodiscard]] bool MayAccept() const { return !session_ && Clock::now() >= accept_from_; }

  void ServeSession(short manager, short qemu) {
    session_->Serve(manager, qemu);
    if (session_->IsOver()) {
      session_.reset();
      gate_->ManagerEnded();
      AskForJobsSoon();
    } else if (gate_->TakeHandover()) {
      watch_.AskForJobs();
    }
  }

  // Without a connection to QEMU the manager waits in the queue, and is looked after at the next
  // tick.
  void BeginSession() {
    auto qemu = ConnectTo(options_.manager_name);
    UniqueFd manager = qemu ? AcceptFrom(listener_) : UniqueFd();
    if (manager.IsValid()) {
      session_.emplace(std::move(manager), std::move(*qemu), gate_);
    } else {
      accept_from_ = Clock::now() + std::chrono::milliseconds(kTickMs);
    }
  }

  void AskForJobsSoon() {
    const bool unanswered = gate_->HasUnanswered();
    ask_at_ = Clock::now() + (unanswered ? kSettling : std::chrono::milliseconds(0));
  }

  void Tick() {
    if (ask_at_ && Clock::now() >= *ask_at_ && watch_.IsConnected()) {
      ask_at_.reset();
      watch_.AskForJobs();
    }
    if (gate_->Owes()) {
      gate_->PayDebts(Wait::kNot);
    }
    if (gate_->WaitsForMigration()) {
      watch_.AskForMigration();
    }
  }

  const Options& options_;
  int listener_;
  Gate* gate_;
  QemuWatch watch_;
  std::optional<ManagerSession> session_;
  std::optional<Clock::time_point> ask_at_;
  Clock::time_point accept_from_;
};

Result<State> StateOf(const Memory& memory) {
  return memory.Read().and_then([](const std::string& text) { return State::Parse(text); });
}

}  // namespace

Result<void> RunWorker(const Options& options, const UniqueFd& listener, Memory* memory,
                       pid_t keeper) {
  if (auto given_up = GiveUpRights(); !given_up) {
    return given_up;
  }
  auto state = StateOf(*memory);
  if (!state) {
    return tl::make_unexpected(state.error());
  }
  BrokerLink link(options.control, keeper, options.patience);
  Gate gate(std::move(*state), memory, &link);
  gate.EndOrphans();
  Worker(options, listener.Get(), &gate).Run();
  return {};
}

}  // namespace openhook::relay
