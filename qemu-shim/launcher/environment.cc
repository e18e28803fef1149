// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/launcher/environment.h"

#include <algorithm>
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

std::string Join(const std::vector<std::string>& directories) {
  std::string joined;
  for (const std::string& directory : directories) {
    joined += (joined.empty() ? "" : ":") + directory;
  }
  return joined;
}

}  // namespace

std::vector<std::string> ComposeEnvironment(const std::vector<std::string>& inherited,
                                            const Options& options, const std::string& library,
                                            int socket) {
  Environment environment(inherited);
  environment.Set("OPENHOOK_SOCKET", options.socket);
  environment.Set("OPENHOOK_FD", std::to_string(socket));
  environment.Set("OPENHOOK_NATIVE", Join(options.writable));
  environment.Prepend("LD_PRELOAD", library);
  if (options.temporary) {
    environment.Set("TMPDIR", *options.temporary);
  }
  return std::move(environment).Take();
}

}  // namespace openhook::launcher
