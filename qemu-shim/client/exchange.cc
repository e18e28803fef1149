// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/client/exchange.h"

#include <fcntl.h>

#include <cerrno>

namespace openhook::client {

namespace {

constexpr int kLargestErrno = 4095;  // the kernel's MAX_ERRNO (include/linux/err.h)

// EINTR would make QEMU's block layer fail where the kernel's own open(2) of a disk never does.
int HonestErrno(int sys_errno, int fallback) {
  return sys_errno > 0 && sys_errno <= kLargestErrno && sys_errno != EINTR ? sys_errno : fallback;
}

void JudgeReply(Answer* answer) {
  switch (answer->reply.outcome) {
    case openhook_proto_Outcome_OUTCOME_OK:
      answer->verdict = Verdict::kOk;
      return;
    case openhook_proto_Outcome_OUTCOME_NOT_MINE:
    case openhook_proto_Outcome_OUTCOME_UNSUPPORTED:  // an older broker: our own rights remain
      answer->verdict = Verdict::kNotMine;
      return;
    case openhook_proto_Outcome_OUTCOME_FAILED:
      answer->verdict = Verdict::kFailed;
      answer->sys_errno = HonestErrno(answer->reply.sys_errno, EIO);
      return;
    default:
      answer->verdict = Verdict::kDenied;
      answer->sys_errno = HonestErrno(answer->reply.sys_errno, EACCES);
  }
}

// The kernel drops a descriptor in two cases that look the same here. A full table shows in a
// second try; what remains is a security module.
void JudgeLostDescriptor(int socket, Answer* answer) {
  const UniqueFd probe(::fcntl(socket, F_DUPFD_CLOEXEC, 0));
  answer->verdict = Verdict::kDescriptorLost;
  answer->sys_errno = probe.IsValid() ? EACCES : EMFILE;
}

bool TryOnce(int socket, const Packet& packet, Answer* answer) {
  switch (RoundTrip(socket, packet, &answer->reply, &answer->descriptor)) {
    case RoundTripStatus::kAnswered:
      JudgeReply(answer);
      return true;
    case RoundTripStatus::kAnsweredWithoutDescriptor:
      JudgeLostDescriptor(socket, answer);
      return true;
    case RoundTripStatus::kBroken:
      break;
  }
  return false;
}

void SetUnreachable(int sys_errno, Answer* answer) {
  answer->verdict = Verdict::kUnreachable;
  answer->sys_errno = sys_errno;
}

void ExchangePacket(const Packet& packet, const Endpoint& endpoint, ConnectionSlot* slot,
                    Answer* answer) {
  Patience patience(endpoint.wait_ms);
  do {
    ConnectStatus status = ConnectStatus::kConnected;
    if (slot->Get() < 0) {
      status = Connect(endpoint, &patience, slot);
    }
    switch (status) {
      case ConnectStatus::kConnected:
        if (TryOnce(slot->Get(), packet, answer)) {
          return;
        }
        slot->Drop();
        break;
      case ConnectStatus::kRefused:
        return SetUnreachable(EACCES, answer);
      case ConnectStatus::kNoDescriptors:
        return SetUnreachable(EMFILE, answer);
      case ConnectStatus::kTryAgain:
        break;
    }
  } while (patience.Pause());
  SetUnreachable(EIO, answer);
}

}  // namespace

void Exchange(const openhook_proto_Request& request, const Endpoint& endpoint, ConnectionSlot* slot,
              Answer* answer) {
  Packet packet;
  if (!Encode(request, &packet)) {
    return SetUnreachable(EIO, answer);
  }
  ExchangePacket(packet, endpoint, slot, answer);
}

}  // namespace openhook::client
