// SPDX-License-Identifier: LGPL-2.1-or-later

#include "policy/label/unchecked.h"

#include <utility>

#include "broker/base/text.h"

namespace openhook::label {

namespace {

class Peer : public PeerLabel {
 public:
  explicit Peer(std::string text, std::optional<Error> refusal = std::nullopt)
      : text_(std::move(text)), refusal_(std::move(refusal)) {}

  [[nodiscard]] const std::string& text() const override { return text_; }
  // A socket's label never changes.
  [[nodiscard]] Result<void> Confirm() const override {
    return refusal_ ? Result<void>(tl::make_unexpected(*refusal_)) : Result<void>();
  }
  [[nodiscard]] Result<void> MayUse(std::string_view, FileUses) const override { return {}; }

 private:
  std::string text_;
  std::optional<Error> refusal_;
};

class Unchecked : public BackEnd {
 public:
  explicit Unchecked(Level level) : level_(std::move(level)) {}

  [[nodiscard]] const Level& level() const override { return level_; }
  [[nodiscard]] std::unique_ptr<PeerLabel> Identify(const PeerEvidence& evidence) const override {
    return std::make_unique<Peer>(evidence.socket_label.value_or(""));
  }
  [[nodiscard]] std::unique_ptr<PeerLabel> Demanded() const override {
    return std::make_unique<Peer>("");
  }

 private:
  Level level_;
};

class SocketLabelOnly : public BackEnd {
 public:
  explicit SocketLabelOnly(Level level) : level_(std::move(level)) {}

  [[nodiscard]] const Level& level() const override { return level_; }
  [[nodiscard]] std::unique_ptr<PeerLabel> Identify(const PeerEvidence& evidence) const override {
    if (evidence.socket_label == level_.demanded) {
      return std::make_unique<Peer>(level_.demanded);
    }
    return std::make_unique<Peer>(
        evidence.socket_label.value_or(""),
        Error{ErrorCode::kPermission, 0,
              "this socket serves the label " + Quote(level_.demanded) + " only; the peer has " +
                  (evidence.socket_label ? Quote(*evidence.socket_label, 300)
                                         : "none that the kernel tells")});
  }
  [[nodiscard]] std::unique_ptr<PeerLabel> Demanded() const override {
    return std::make_unique<Peer>(level_.demanded);
  }

 private:
  Level level_;
};

}  // namespace

std::unique_ptr<BackEnd> MakeUnchecked(Module module, const std::string& reason) {
  return std::make_unique<Unchecked>(
      Level{module, Checked::kNothing, "", reason + ": peers are identified by their uid only"});
}

std::unique_ptr<BackEnd> MakeSocketLabelOnly(Module module, std::string demanded) {
  std::string sentence = std::string(ToString(module)) + ": " + Escape(demanded) +
                         ", by SO_PEERSEC; files are left to the kernel's own checks";
  return std::make_unique<SocketLabelOnly>(
      Level{module, Checked::kPeer, std::move(demanded), std::move(sentence)});
}

}  // namespace openhook::label
