// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/launcher/preload_shim.h"

#include <utility>

#include "qemu-shim/launcher/environment.h"
#include "qemu-shim/launcher/greeting.h"
#include "qemu-shim/launcher/program.h"

namespace openhook::launcher {

namespace {

class PreloadShim : public Shim {
 public:
  PreloadShim(const Options& options, std::string path, ShimLibrary library)
      : options_(options), path_(std::move(path)), library_(std::move(library)) {}

  [[nodiscard]] ShimFile File() const override { return {path_, landlock::PathUse::kRead}; }

  Result<void> Start(const Confinement& /*confinement*/) override {
    return library_.NameForLoader().map(
        [this](std::string name) { loader_name_ = std::move(name); });
  }

  Result<std::vector<std::string>> Attach(UniqueFd connection,
                                          const std::vector<std::string>& inherited) override {
    auto socket = PlaceHigh(std::move(connection));
    if (!socket) {
      return tl::make_unexpected(socket.error());
    }
    socket_ = std::move(*socket);
    return ComposeEnvironment(inherited, options_, PreloadVariables{loader_name_, socket_.Get()});
  }

 private:
  const Options& options_;
  std::string path_;
  ShimLibrary library_;
  std::string loader_name_;
  UniqueFd socket_;  // until exec
};

}  // namespace

Result<std::unique_ptr<Shim>> PreparePreloadShim(const Options& options) {
  auto path = FindPreloadLibrary(options.preload.value_or(""));
  if (!path) {
    return tl::make_unexpected(path.error());
  }
  auto library = ShimLibrary::Open(*path);
  if (!library) {
    return tl::make_unexpected(library.error());
  }
  return std::make_unique<PreloadShim>(options, std::move(*path), std::move(*library));
}

}  // namespace openhook::launcher
