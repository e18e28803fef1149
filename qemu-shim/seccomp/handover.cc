// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/seccomp/handover.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <charconv>
#include <cstring>
#include <string>
#include <string_view>

#include "proto/bundle.h"

namespace openhook::seccomp {

namespace {

constexpr timeval kPatience{30, 0};  // both do nothing but start
constexpr std::string_view kReady = "ready ";
constexpr std::string_view kListener = "listener";
constexpr std::string_view kTaken = "taken";
constexpr std::string_view kFailed = "failed ";

Result<void> Say(const UniqueFd& socket, std::string_view words) {
  const SentBundle sent = SendBundle(socket.Get(), words.data(), words.size(), WaitMode::kWait);
  if (sent.status != BundleStatus::kOk) {
    return FailErrno(sent.sys_errno, "cannot talk to the other side of the hand-over");
  }
  return {};
}

// The next packet of the keeper.
Result<std::string> Listen(const UniqueFd& socket) {
  ::setsockopt(socket.Get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
  std::array<char, 1024> buffer;
  const ReceivedBundle received = ReceiveBundle(socket.Get(), buffer.data(), buffer.size(),
                                                DescriptorRule::kNone, WaitMode::kWait);
  if (received.status != BundleStatus::kOk) {
    return Fail(ErrorCode::kUnavailable,
                "the keeper of the seccomp listener ended, or does not answer: is there room for "
                "its user's processes (RLIMIT_NPROC) and files (RLIMIT_NOFILE)?");
  }
  std::string words(buffer.data(), received.size);
  if (words.starts_with(kFailed)) {
    return Fail(ErrorCode::kUnavailable,
                "the keeper of the seccomp listener: " + words.substr(kFailed.size()));
  }
  return words;
}

}  // namespace

Result<pid_t> AwaitReady(const UniqueFd& socket) {
  return Listen(socket).and_then([](const std::string& words) -> Result<pid_t> {
    pid_t keeper = 0;
    if (words.starts_with(kReady)) {
      std::from_chars(words.data() + kReady.size(), words.data() + words.size(), keeper);
    }
    if (keeper <= 0) {
      return Fail(ErrorCode::kCorrupt, "the keeper of the seccomp listener is of another version");
    }
    return keeper;
  });
}

Result<void> HandOver(const UniqueFd& socket, UniqueFd listener) {
  const IoFd sent_fd(std::move(listener));
  const SentBundle sent =
      SendBundle(socket.Get(), kListener.data(), kListener.size(), sent_fd, WaitMode::kWait);
  if (sent.status != BundleStatus::kOk) {
    return FailErrno(sent.sys_errno, "cannot give the seccomp listener to its keeper");
  }
  return Listen(socket).map([](const std::string&) {});
}

Result<void> SayReady(const UniqueFd& socket, pid_t keeper) {
  return Say(socket, std::string(kReady) + std::to_string(keeper));
}

Result<UniqueFd> TakeListener(const UniqueFd& socket) {
  std::array<char, 64> buffer;
  ReceivedBundle received = ReceiveBundle(socket.Get(), buffer.data(), buffer.size(),
                                          DescriptorRule::kAtMostOne, WaitMode::kWait);
  if (received.status != BundleStatus::kOk || !received.fd.IsValid()) {
    return Fail(ErrorCode::kUnavailable, "the launcher sent no listener");
  }
  return std::move(received.fd);
}

Result<void> Acknowledge(const UniqueFd& socket) { return Say(socket, kTaken); }

void SayFailed(const UniqueFd& socket, const Error& error) {
  // Nobody can be told when this fails too; the launcher notices the end.
  (void)Say(socket, std::string(kFailed) + error.Message());
}

}  // namespace openhook::seccomp
