// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/launcher/environment.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace openhook::launcher {

namespace {

class Environment {
 public:
  explicit Environment(const std::vector<std::string>& words) : words_(words) {}

  [[nodiscard]] std::string Get(std::string_view name) const {
    const auto word = std::find_if(words_.begin(), words_.end(),
                                   [&](const std::string& entry) { return Names(entry, name); });
    return word == words_.end() ? "" : word->substr(name.size() + 1);
  }

  void Set(std::string_view name, const std::string& value) {
    std::erase_if(words_, [&](const std::string& entry) { return Names(entry, name); });
    words_.push_back(std::string(name) + "=" + value);
  }

  // `value` in front of what is there, with a colon between.
  void Prepend(std::string_view name, const std::string& value) {
    const std::string present = Get(name);
    Set(name, present.empty() ? value : value + ":" + present);
  }

  std::vector<std::string> Take() && { return std::move(words_); }

 private:
  static bool Names(std::string_view entry, std::string_view name) {
    return entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=';
  }

  std::vector<std::string> words_;
};

}  // namespace

std::string NativePaths(const Options& options) {
  std::string joined;
  for (const auto* paths : {&options.writable, &options.readable, &options.executable}) {
    for (const std::string& path : *paths) {
      joined += (joined.empty() ? "" : ":") + path;
    }
  }
  return joined;
}

std::string WaitMilliseconds() {
  constexpr std::string_view kDefault = "5000";
  constexpr std::size_t kMostDigits = 6;
  const char* value = std::getenv("OPENHOOK_WAIT_MS");
  const std::string_view text(value == nullptr ? "" : value);
  const bool number = !text.empty() && text.size() <= kMostDigits &&
                      text.find_first_not_of("0123456789") == std::string_view::npos;
  return std::string(number ? text : kDefault);
}

std::vector<std::string> ComposeEnvironment(const std::vector<std::string>& inherited,
                                            const Options& options,
                                            const std::optional<PreloadVariables>& preload) {
  Environment environment(inherited);
  if (preload) {
    environment.Set("OPENHOOK_SOCKET", options.socket);
    environment.Set("OPENHOOK_FD", std::to_string(preload->socket));
    environment.Set("OPENHOOK_NATIVE", NativePaths(options));
    environment.Prepend("LD_PRELOAD", preload->library);
  }
  if (options.temporary) {
    environment.Set("TMPDIR", *options.temporary);
  }
  return std::move(environment).Take();
}

}  // namespace openhook::launcher
