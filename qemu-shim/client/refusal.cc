// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/client/refusal.h"

#include <cerrno>

namespace openhook::client {

namespace {

void AddLostDescriptor(int sys_errno, Line* line) {
  line->Add(
      "the broker sent the descriptor and the kernel dropped it: a security module or a full "
      "descriptor table; ");
  if (sys_errno == EMFILE) {
    line->Add("the table is full: raise the limit of open files (RLIMIT_NOFILE)");
  } else {
    line->Add(
        "look in the kernel or audit log for operation=\"file_receive\" (AppArmor) or 'avc: "
        "denied' with tclass=file or tclass=fd (SELinux)");
  }
}

}  // namespace

bool DeservesALine(Verdict verdict, Voice voice) {
  return verdict == Verdict::kDescriptorLost || verdict == Verdict::kUnreachable ||
         (verdict == Verdict::kDenied && voice == Voice::kAloud);
}

void AddRefusal(std::string_view what, std::string_view path, std::string_view purpose,
                const Answer& answer, const Endpoint& endpoint, Line* line) {
  line->Add(what).Add(" ").AddQuoted(path);
  if (!purpose.empty()) {
    line->Add(" for ").Add(purpose);
  }
  line->Add(": ");
  switch (answer.verdict) {
    case Verdict::kDescriptorLost:
      AddLostDescriptor(answer.sys_errno, line);
      break;
    case Verdict::kUnreachable:
      line->Add("no answer from the broker at ").AddQuoted(endpoint.socket);
      line->Add(" within ").AddNumber(endpoint.wait_ms);
      line->Add(" ms; check that openhookd runs for this VM and that its open.sock is reachable");
      break;
    default:
      line->Add("refused: ");
      line->Add(answer.reply.reason[0] != '\0' ? answer.reply.reason : "the broker gave no reason");
  }
}

}  // namespace openhook::client
