// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhook-notifier SOCKET NATIVE-DIRECTORIES WAIT-MS: what openhook-qemu --mode=seccomp starts
// beside the program, as the program's user, to answer its trapped system calls. It has one end of
// a pair of sockets as descriptor 3 (handover.h) and no other descriptor of the launcher.

#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "qemu-shim/seccomp/handover.h"
#include "qemu-shim/seccomp/in_flight.h"
#include "qemu-shim/seccomp/keeper.h"

namespace openhook::seccomp {
namespace {

bool IsSocket(int fd) {
  int type = 0;
  socklen_t size = sizeof(type);
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

Result<void> Keep(UniqueFd* launcher, const Settings& settings) {
  if (!Listener::KernelFits()) {
    return Fail(ErrorCode::kUnsupported,
                "this kernel's seccomp notifications are larger than this program knows");
  }
  auto in_flight = InFlightTable::Make();
  if (!in_flight) {
    return tl::make_unexpected(in_flight.error());
  }
  auto listener = SayReady(*launcher, ::getpid()).and_then([&] { return TakeListener(*launcher); });
  if (!listener) {
    return tl::make_unexpected(listener.error());
  }
  if (auto acknowledged = Acknowledge(*launcher); !acknowledged) {
    return acknowledged;
  }
  launcher->Reset();
  RunKeeper(Listener(std::move(*listener)), settings, &*in_flight);
}

}  // namespace
}  // namespace openhook::seccomp

int main(int argc, char** argv) {
  using namespace openhook;
  if (argc != 4 || !seccomp::IsSocket(seccomp::kKeeperSocket)) {
    (void)std::fputs("openhook-notifier is started by openhook-qemu --mode=seccomp, not by hand\n",
                     stderr);
    return 2;
  }
  seccomp::SettleAsKeeper();
  UniqueFd launcher(seccomp::kKeeperSocket);
  const auto kept = seccomp::Keep(
      &launcher, {argv[1], argv[2], static_cast<int>(std::strtol(argv[3], nullptr, 10))});
  seccomp::SayFailed(launcher, kept.error());
  return 1;
}
