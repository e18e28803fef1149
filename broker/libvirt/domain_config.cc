// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/libvirt/domain_config.h"

#include <algorithm>
#include <cctype>

#include "broker/base/text.h"
#include "broker/fs/directory.h"
#include "broker/fs/whole_file.h"
#include "broker/libvirt/key_value.h"

namespace openhook::libvirt {

namespace {

constexpr std::size_t kMaxConfigBytes = std::size_t{64} << 10;

Result<void> Take(const KeyValue& setting, DomainConfig* config) {
  const auto& [line, key, value] = setting;
  if (key == "vm" || key == "config") {
    return FaultInLine(line, "says " + Quote(key) + ", which follows from the name of the file");
  }
  if (key == "run-dir") {
    config->run_dir = value;
  } else if (key == "state-dir") {
    config->state_dir = value;
  }
  config->arguments.push_back("--" + (key == "uid" ? "vm-user" : key) + "=" + value);
  return {};
}

}  // namespace

std::string DomainConfigPath(const std::string& directory, const std::string& uuid) {
  std::string name = uuid;
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return directory + "/" + name + ".conf";
}

Result<DomainConfig> ParseDomainConfig(std::string_view text) {
  const auto settings = ParseKeyValues(text);
  if (!settings) {
    return tl::make_unexpected(settings.error());
  }
  DomainConfig config;
  for (const KeyValue& setting : *settings) {
    if (auto taken = Take(setting, &config); !taken) {
      return tl::make_unexpected(taken.error());
    }
  }
  return config;
}

Result<std::optional<DomainConfig>> ReadDomainConfig(const std::string& directory,
                                                     const std::string& uuid) {
  const std::string path = DomainConfigPath(directory, uuid);
  const auto exists = fs::FileExists(path);
  if (!exists) {
    return tl::make_unexpected(exists.error());
  }
  if (!*exists) {
    return std::optional<DomainConfig>();
  }
  const auto text = fs::ReadWholeFile(path, kMaxConfigBytes);
  if (!text) {
    return tl::make_unexpected(text.error());
  }
  auto config = ParseDomainConfig(*text);
  if (!config) {
    Error error = std::move(config).error();
    error.context = Quote(path) + ": " + error.context;
    return tl::make_unexpected(std::move(error));
  }
  return std::optional(std::move(*config));
}

}  // namespace openhook::libvirt
