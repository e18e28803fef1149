// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/launcher/seccomp_shim.h"

#include <fcntl.h>
#include <sys/prctl.h>

#include <cerrno>
#include <utility>

#include "broker/base/text.h"
#include "qemu-shim/launcher/environment.h"
#include "qemu-shim/launcher/keeper_process.h"
#include "qemu-shim/launcher/program.h"
#include "qemu-shim/seccomp/filter.h"
#include "qemu-shim/seccomp/handover.h"

namespace openhook::launcher {

namespace {

class SeccompShim : public Shim {
 public:
  SeccompShim(const Options& options, std::string path, UniqueFd notifier,
              std::vector<sock_filter> filter)
      : options_(options),
        path_(std::move(path)),
        notifier_(std::move(notifier)),
        filter_(std::move(filter)) {}

  [[nodiscard]] ShimFile File() const override { return {path_, landlock::PathUse::kExecute}; }

  Result<void> Start(const Confinement& confinement) override {
    auto socket =
        StartKeeper(notifier_, {options_.socket, NativePaths(options_), WaitMilliseconds()});
    if (!socket) {
      return tl::make_unexpected(socket.error());
    }
    socket_ = std::move(*socket);
    const auto keeper = seccomp::AwaitReady(socket_);
    if (!keeper) {
      return tl::make_unexpected(keeper.error());
    }
    // Where Yama restricts debuggers to parents, the keeper and its children may all the same. It
    // fails where there is no Yama.
    ::prctl(PR_SET_PTRACER, *keeper, 0, 0, 0);
    return confinement.Enter();
  }

  Result<std::vector<std::string>> Attach(UniqueFd /*connection: only to see that it works*/,
                                          const std::vector<std::string>& inherited) override {
    auto listener = seccomp::InstallFilter(filter_);
    if (!listener) {
      return tl::make_unexpected(listener.error());
    }
    // From here on our own opens wait for the notifier too.
    if (const auto given = seccomp::HandOver(socket_, std::move(*listener)); !given) {
      return tl::make_unexpected(given.error());
    }
    socket_.Reset();
    return ComposeEnvironment(inherited, options_, std::nullopt);
  }

 private:
  const Options& options_;
  std::string path_;
  UniqueFd notifier_;
  std::vector<sock_filter> filter_;
  UniqueFd socket_;
};

}  // namespace

Result<std::unique_ptr<Shim>> PrepareSeccompShim(const Options& options) {
  auto path = FindNotifier();
  if (!path) {
    return tl::make_unexpected(path.error());
  }
  // Opened now: a directory above it may be closed to the program's user.
  UniqueFd notifier(::open(path->c_str(), O_PATH | O_CLOEXEC));
  if (!notifier.IsValid()) {
    return FailErrno(errno, "cannot open " + Quote(*path));
  }
  auto filter = seccomp::ComposeFilter();
  if (!filter) {
    return tl::make_unexpected(filter.error());
  }
  return std::make_unique<SeccompShim>(options, std::move(*path), std::move(notifier),
                                       std::move(*filter));
}

}  // namespace openhook::launcher
