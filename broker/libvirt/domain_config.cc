// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/libvirt/domain_config.h"

#include <algorithm>
#include <cctype>

#include "broker/base/text.h"
#include "broker/fs/directory.h"
#include "broker/fs/whole_file.h"

namespace openhook::libvirt {

namespace {

constexpr std::size_t kMaxConfigBytes = std::size_t{64} << 10;
constexpr std::string_view kBlanks = " \t\r";

std::string_view Trim(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool IsKey(std::string_view key) {
  return !key.empty() && key.front() != '-' && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || c == '-';
  });
}

tl::unexpected<Error> Malformed(std::size_t line, const std::string& why) {
  return Fail(ErrorCode::kInvalidArgument, "line " + std::to_string(line) + " " + why);
}

Result<void> Take(std::string_view key, std::string value, std::size_t line, DomainConfig* config) {
  if (key == "vm" || key == "config") {
    return Malformed(line, "says " + Quote(key) + ", which follows from the name of the file");
  }
  if (key == "emulator") {
    if (!value.starts_with('/')) {
      return Malformed(line, "names an emulator that is no absolute path: " + Quote(value));
    }
    config->emulator = std::move(value);
    return {};
  }
  if (key == "run-dir") {
    config->run_dir = value;
  } else if (key == "state-dir") {
    config->state_dir = value;
  }
  config->arguments.push_back("--" + std::string(key == "uid" ? "vm-user" : key) + "=" + value);
  return {};
}

Result<void> TakeLine(std::string_view text, std::size_t line, DomainConfig* config) {
  text = Trim(text);
  if (text.empty() || text.front() == '#') {
    return {};
  }
  const auto equals = text.find('=');
  const std::string_view key = Trim(text.substr(0, equals));
  if (equals == std::string_view::npos || !IsKey(key)) {
    return Malformed(line, "is no 'key = value': " + Quote(text));
  }
  std::string_view value = Trim(text.substr(equals + 1));
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    value = value.substr(1, value.size() - 2);
  }
  if (value.empty() || value.find('\0') != std::string_view::npos) {
    return Malformed(line, "gives " + Quote(key) + " no value");
  }
  return Take(key, std::string(value), line, config);
}

}  // namespace

std::string DomainConfigPath(const std::string& directory, const std::string& uuid) {
  std::string name = uuid;
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return directory + "/" + name + ".conf";
}

Result<DomainConfig> ParseDomainConfig(std::string_view text) {
  DomainConfig config;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const auto end = std::min(text.find('\n'), text.size());
    if (auto taken = TakeLine(text.substr(0, end), line, &config); !taken) {
      return tl::make_unexpected(taken.error());
    }
    text.remove_prefix(std::min(end + 1, text.size()));
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
