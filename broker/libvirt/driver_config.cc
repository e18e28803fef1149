// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/libvirt/driver_config.h"

#include <charconv>

#include "broker/base/key_value.h"
#include "broker/base/text.h"
#include "broker/fs/directory.h"
#include "broker/fs/text_file.h"

namespace openhook::libvirt {

namespace {

constexpr std::size_t kMaxConfigBytes = std::size_t{64} << 10;
constexpr std::string_view kOwnSuffix = "-openhook.conf";
// libvirt waits with the machine's lock held.
constexpr int kLongestTimeoutMs = 30'000;

Result<void> Take(const KeyValue& setting, DriverConfig* config) {
  const auto& [line, key, value] = setting;
  if (key == "run_dir" && value.starts_with('/')) {
    config->run_dir = value;
    return {};
  }
  if (key == "delegate" && value.find('/') == std::string::npos && value != "openhook") {
    config->delegate = value;
    return {};
  }
  const char* end = value.data() + value.size();
  if (key == "timeout_ms" && std::from_chars(value.data(), end, config->timeout_ms).ptr == end &&
      config->timeout_ms > 0 && config->timeout_ms <= kLongestTimeoutMs) {
    return {};
  }
  return FaultInLine(line, "is not understood: " + Quote(key) + " = " + Quote(value) +
                               "; there are run_dir (absolute), delegate (a lock driver, like "
                               "lockd) and timeout_ms (1 to 30000)");
}

// libvirt calls the file after its own driver and the lock driver: "qemu-lockd.conf".
std::string ConfigOfDelegate(const std::string& path, const std::string& delegate) {
  return path.ends_with(kOwnSuffix)
             ? path.substr(0, path.size() - kOwnSuffix.size() + 1) + delegate + ".conf"
             : path;
}

}  // namespace

Result<DriverConfig> ParseDriverConfig(std::string_view text) {
  const auto settings = ParseKeyValues(text);
  if (!settings) {
    return tl::make_unexpected(settings.error());
  }
  DriverConfig config;
  for (const KeyValue& setting : *settings) {
    if (auto taken = Take(setting, &config); !taken) {
      return tl::make_unexpected(taken.error());
    }
  }
  return config;
}

Result<DriverConfig> ReadDriverConfig(const std::string& path) {
  const auto exists = fs::FileExists(path);
  if (!exists || !*exists) {
    return exists ? DriverConfig() : Result<DriverConfig>(tl::make_unexpected(exists.error()));
  }
  auto config = fs::ReadTextFile(path, kMaxConfigBytes).and_then([](const std::string& text) {
    return ParseDriverConfig(text);
  });
  if (config) {
    config->delegate_config = ConfigOfDelegate(path, config->delegate);
  } else {
    config.error().context = Quote(path) + ": " + config.error().context;
  }
  return config;
}

}  // namespace openhook::libvirt
