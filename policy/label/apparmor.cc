// SPDX-License-Identifier: LGPL-2.1-or-later

#include "policy/label/apparmor.h"

#include <utility>

#include "broker/base/text.h"
#include "policy/label/apparmor_query.h"
#include "policy/label/peer_process.h"

namespace openhook::label {

namespace {

class AppArmorPeer : public PeerLabel {
 public:
  // Without evidence: the peer that is demanded.
  AppArmorPeer(const AppArmorDemand* demand, const PeerEvidence* evidence) : demand_(demand) {
    if (evidence == nullptr) {
      text_ = demand->profile + " (enforce)";
      return;
    }
    socket_label_ = evidence->socket_label;
    process_ = PeerProcess::Open(evidence->pid, *evidence->pidfd);
    const auto label = *process_ ? (*process_)->Label() : tl::make_unexpected(process_->error());
    text_ = WithoutNewline(label.value_or(socket_label_.value_or("")));
  }

  [[nodiscard]] const std::string& text() const override { return text_; }

  // The socket's label is that of who made the socket, and says nothing of what its holder became;
  // the process' label says nothing of who made the socket. So both count.
  [[nodiscard]] Result<void> Confirm() const override {
    if (!process_) {
      return {};
    }
    if (!*process_) {
      return Refuse((*process_).error());
    }
    const auto now = (*process_)->Label();
    if (!now) {
      return Refuse(now.error());
    }
    if (auto met = MeetAppArmorDemand(*now, *demand_); !met) {
      return tl::make_unexpected(met.error());
    }
    if (socket_label_) {
      if (auto met = MeetAppArmorDemand(*socket_label_, *demand_); !met) {
        return Fail(ErrorCode::kPermission,
                    "the socket was made by another process before: " + met.error().context);
      }
    }
    return {};
  }

  [[nodiscard]] Result<void> MayUse(std::string_view path, FileUses uses) const override {
    if (OnlyComplains()) {
      return {};
    }
    const auto allowed = AllowedByAppArmor(demand_->profile, path, uses);
    if (!allowed) {
      return Refuse(allowed.error());
    }
    const FileUses missing = uses.Without(*allowed);
    if (missing.Empty()) {
      return {};
    }
    return Fail(ErrorCode::kPermission, "the AppArmor profile " + Quote(demand_->profile) +
                                            " as it is loaded does not allow " + missing.Text() +
                                            " on " + Quote(path) +
                                            "; add the rule to the profile and load it");
  }

 private:
  // The kernel refuses nothing then either. The mode may have changed since the peer connected.
  [[nodiscard]] bool OnlyComplains() const {
    if (demand_->complain == ComplainMode::kRefused || !process_ || !*process_) {
      return false;
    }
    const auto label = (*process_)->Label().and_then(ParseAppArmorLabel);
    return label && label->mode == AppArmorMode::kComplain;
  }
  static std::string WithoutNewline(std::string text) {
    if (!text.empty() && text.back() == '\n') {
      text.pop_back();
    }
    return text;
  }
  static tl::unexpected<Error> Refuse(const Error& error) {
    return Fail(ErrorCode::kPermission, error.Message());
  }

  const AppArmorDemand* demand_;
  std::string text_;
  std::optional<std::string> socket_label_;
  std::optional<Result<PeerProcess>> process_;
};

std::string PeersKnownBy(const KernelFacts& facts) {
  const std::string process =
      facts.peer_pidfds ? "attr/current (SO_PEERPIDFD)" : "attr/current (pidfd)";
  return facts.socket_labels ? "SO_PEERSEC and " + process : process;
}

// Of an opener that AppArmor does not confine, the kernel lets every descriptor through at its
// receiver's end.
std::string SecondLook(const KernelFacts& facts) {
  const auto own = ParseAppArmorLabel(facts.own_label);
  const bool confined = own && own->mode != AppArmorMode::kUnconfined;
  return confined
             ? "the kernel checks each hand-over again, openhookd being " + Quote(facts.own_label)
             : "the kernel does not check hand-overs again, openhookd being unconfined";
}

class AppArmor : public BackEnd {
 public:
  AppArmor(AppArmorDemand demand, const KernelFacts& facts) : demand_(std::move(demand)) {
    level_.module = Module::kAppArmor;
    level_.checked = Checked::kPeerAndFiles;
    level_.demanded = demand_.profile + " (enforce)";
    const std::string complain = demand_.complain == ComplainMode::kAccepted
                                     ? " or (complain), whose files are not checked"
                                     : "";
    level_.sentence = "apparmor: " + level_.demanded + complain + ", by " + PeersKnownBy(facts) +
                      "; files by the loaded profile; " + SecondLook(facts);
  }

  [[nodiscard]] const Level& level() const override { return level_; }
  [[nodiscard]] std::unique_ptr<PeerLabel> Identify(const PeerEvidence& evidence) const override {
    return std::make_unique<AppArmorPeer>(&demand_, &evidence);
  }
  [[nodiscard]] std::unique_ptr<PeerLabel> Demanded() const override {
    return std::make_unique<AppArmorPeer>(&demand_, nullptr);
  }

 private:
  AppArmorDemand demand_;
  Level level_;
};

}  // namespace

std::unique_ptr<BackEnd> MakeAppArmor(AppArmorDemand demand, const KernelFacts& facts) {
  return std::make_unique<AppArmor>(std::move(demand), facts);
}

}  // namespace openhook::label
