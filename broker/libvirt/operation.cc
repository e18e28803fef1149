// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/libvirt/operation.h"

#include <chrono>
#include <string_view>

namespace openhook::libvirt {

namespace {

// As a broker's directory is called.
std::string UuidText(std::span<const unsigned char> bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) {
      text += '-';
    }
    text += kDigits[bytes[i] >> 4U];
    text += kDigits[bytes[i] & 0xFU];
  }
  return text;
}

Deadline DeadlineOf(const DriverConfig& config) {
  return std::chrono::steady_clock::now() + std::chrono::milliseconds(config.timeout_ms);
}

}  // namespace

Operation::Operation(std::span<const LockParam> params) {
  for (const LockParam& param : params) {
    const std::string_view key = param.key;
    if (key == "uuid" && param.type == kParamIsUuid) {
      uuid_ = UuidText(param.value.uuid);
    } else if (key == "pid" && param.type == kParamIsUint) {
      pid_ = static_cast<int>(param.value.ui);
    }
  }
}

std::string Operation::SocketPath(const DriverConfig& config) const {
  return config.run_dir + "/" + uuid_ + "/control.sock";
}

Result<void> Operation::Acquire(const DriverConfig& config, Whose whose) const {
  if (uuid_.empty() || images_.empty()) {
    return {};
  }
  auto client = FeedClient::Connect(SocketPath(config), DeadlineOf(config));
  if (!client) {
    return tl::make_unexpected(client.error());
  }
  if (!*client) {
    return {};
  }
  for (auto image = images_.begin(); image != images_.end(); ++image) {
    if (auto told = (*client)->Announce(What::kAcquired, whose, *image, pid_); !told) {
      for (auto taken = images_.begin(); whose == Whose::kImage && taken != image; ++taken) {
        (void)(*client)->Announce(What::kReleased, whose, *taken, pid_);
      }
      return told;
    }
  }
  return {};
}

Result<void> Operation::Release(const DriverConfig& config) const {
  if (uuid_.empty() || images_.empty()) {
    return {};
  }
  auto client = FeedClient::Connect(SocketPath(config), DeadlineOf(config));
  if (!client) {
    return tl::make_unexpected(client.error());
  }
  for (const Image& image : images_) {
    if (!*client) {
      break;
    }
    if (auto told = (*client)->Announce(What::kReleased, Whose::kImage, image, pid_); !told) {
      return told;
    }
  }
  return {};
}

}  // namespace openhook::libvirt
