// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/options.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <charconv>
#include <sstream>
#include <vector>

#include "broker/base/canonical_path.h"
#include "broker/base/text.h"

namespace openhook::server {

namespace {

constexpr std::size_t kNameBufferBytes = 16 * std::size_t{1024};

struct Words {
  std::string vm;
  std::string state_dir = "/var/lib/openhook";
  std::string run_dir = "/run/openhook";
  std::string lock_dir;
  std::string vm_user = "libvirt-qemu";
  std::string control_group;
  std::string peer_label;
  std::string profile = "none";
  std::string require_label;
  bool accept_complain = false;
  bool libvirt_devices = false;
  std::string drift = "pool";
  std::vector<std::string> pools;
  unsigned io_deadline = 10;
};

std::optional<unsigned> ParseNumber(const std::string& text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number)
                                                                  : std::nullopt;
}

// RFC 4122 text form, made lower case.
Result<std::string> ParseUuid(std::string text) {
  static constexpr std::string_view kShape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  bool good = text.size() == kShape.size();
  for (std::size_t i = 0; good && i < kShape.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    good = kShape[i] == '-' ? text[i] == '-' : std::isxdigit(byte) != 0;
    text[i] = static_cast<char>(std::tolower(byte));
  }
  if (!good) {
    return Fail(ErrorCode::kInvalidArgument, "--vm " + Quote(text) + " is not a UUID");
  }
  return text;
}

Result<void> FindUser(const std::string& name, Options* options) {
  std::vector<char> buffer(kNameBufferBytes);
  passwd entry{};
  passwd* found = nullptr;
  const auto number = ParseNumber(name);
  if (number) {
    ::getpwuid_r(*number, &entry, buffer.data(), buffer.size(), &found);
    options->vm_uid = *number;
    options->vm_gid = found != nullptr ? found->pw_gid : *number;
    return {};
  }
  ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) {
    return Fail(ErrorCode::kInvalidArgument,
                "there is no user " + Quote(name) + "; name the one that QEMU runs as: --vm-user");
  }
  options->vm_uid = found->pw_uid;
  options->vm_gid = found->pw_gid;
  return {};
}

Result<std::optional<gid_t>> FindGroup(const std::string& name) {
  if (name.empty()) {
    return std::optional<gid_t>();
  }
  if (const std::optional<gid_t> number = ParseNumber(name)) {
    return number;
  }
  std::vector<char> buffer(kNameBufferBytes);
  group entry{};
  group* found = nullptr;
  ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) {
    return Fail(ErrorCode::kInvalidArgument, "there is no group " + Quote(name));
  }
  return std::optional<gid_t>(found->gr_gid);
}

Result<std::string> AbsoluteDirectory(const char* option, const std::string& text) {
  auto clean = LexicalClean(text, "");
  if (!clean) {
    return Fail(ErrorCode::kInvalidArgument,
                std::string(option) + " must be an absolute path, not " + Quote(text));
  }
  return clean;
}

Result<whitelist::DriftRules> ParseDrift(const Words& words) {
  const auto policy = whitelist::ParseDriftPolicy(words.drift);
  if (!policy) {
    return Fail(ErrorCode::kInvalidArgument,
                "--drift is pool, strict or trust, not " + Quote(words.drift));
  }
  whitelist::DriftRules rules{*policy, {}};
  for (const std::string& pool : words.pools) {
    auto path = CanonicalPath::Parse(pool);
    if (!path) {
      return Fail(ErrorCode::kInvalidArgument, "--pool: " + path.error().context);
    }
    rules.pools.push_back(std::move(*path));
  }
  return rules;
}

Result<void> ParseLabels(const Words& words, Options* options) {
  label::Wanted& wanted = options->label;
  wanted.vm = options->vm;
  wanted.complain =
      words.accept_complain ? label::ComplainMode::kAccepted : label::ComplainMode::kRefused;
  if (!words.peer_label.empty()) {
    if (auto parsed = label::ParsePeerLabel(words.peer_label, &wanted); !parsed) {
      return parsed;
    }
  }
  return words.require_label.empty() ? Result<void>()
                                     : label::ParseRequired(words.require_label, &wanted);
}

Result<Options> FromWords(const Words& words) {
  Options options;
  const auto vm = ParseUuid(words.vm);
  const auto state_dir = AbsoluteDirectory("--state-dir", words.state_dir);
  const auto run_dir = AbsoluteDirectory("--run-dir", words.run_dir);
  for (const auto* text : {&vm, &state_dir, &run_dir}) {
    if (!*text) {
      return tl::make_unexpected(text->error());
    }
  }
  options.vm = *vm;
  options.state_dir = *state_dir;
  options.run_dir = *run_dir;
  if (!words.lock_dir.empty()) {
    auto lock_dir = AbsoluteDirectory("--lock-dir", words.lock_dir);
    if (!lock_dir) {
      return tl::make_unexpected(lock_dir.error());
    }
    options.lock_dir = std::move(*lock_dir);
  }
  if (auto user = FindUser(words.vm_user, &options); !user) {
    return tl::make_unexpected(user.error());
  }
  const auto group = FindGroup(words.control_group);
  if (!group) {
    return tl::make_unexpected(group.error());
  }
  options.control_group = *group;
  if (auto labelled = ParseLabels(words, &options); !labelled) {
    return tl::make_unexpected(labelled.error());
  }
  auto drift = ParseDrift(words);
  if (!drift) {
    return tl::make_unexpected(drift.error());
  }
  options.drift = std::move(*drift);
  options.profile =
      words.profile == "apparmor" ? Options::Profile::kAppArmor : Options::Profile::kNone;
  options.devices = words.libvirt_devices ? Options::Devices::kLibvirts : Options::Devices::kListed;
  options.io_deadline = std::chrono::seconds(words.io_deadline);
  return options;
}

void Declare(CLI::App* app, Words* words) {
  app->add_option("--vm", words->vm, "UUID of the VM that this broker serves")->required();
  app->add_option("--state-dir", words->state_dir, "where the whitelist is kept")
      ->capture_default_str();
  app->add_option("--run-dir", words->run_dir, "where the sockets are made, in a directory per VM")
      ->capture_default_str();
  app->add_option("--lock-dir", words->lock_dir,
                  "where files are locked that a VM may write to; one for all brokers of a host "
                  "(not given: locks/ in --run-dir)");
  app->add_option("--vm-user", words->vm_user, "user (name or number) that QEMU runs as")
      ->capture_default_str();
  app->add_option("--control-group", words->control_group,
                  "group (name or number) whose members may use the control socket beside root");
  app->add_option("--peer-label", words->peer_label,
                  "security label that an open client must have, exactly, or: unchecked (not "
                  "given: under AppArmor the profile libvirt-UUID, enforced)");
  app->add_option("--require-label", words->require_label,
                  "do not start unless this security module is in force: apparmor, selinux");
  app->add_flag("--accept-complain", words->accept_complain,
                "serve a VM whose AppArmor profile only complains, too");
  app->add_option("--profile", words->profile,
                  "what the kernel has to enforce before a change is acknowledged: none, or "
                  "apparmor (the profile libvirt-UUID, by openhook-loader)")
      ->check(CLI::IsMember({"none", "apparmor"}))
      ->capture_default_str();
  app->add_flag("--libvirt-devices", words->libvirt_devices,
                "give character devices, too, that libvirt put into the machine's own /dev");
  app->add_option("--drift", words->drift,
                  "what to do when headers of a disk lead to a file that no job explains: pool "
                  "(follow beside known files and in pools), strict, trust")
      ->capture_default_str();
  app->add_option("--pool", words->pools, "directory below which files may join a chain");
  app->add_option("--io-deadline", words->io_deadline,
                  "seconds after which a request is given up whose file system does not answer")
      // Clients wait for 60 s.
      ->check(CLI::Range(1, 50))
      ->capture_default_str();
  app->set_config("--config", "", "file with any of these options, as name = \"value\" lines");
  app->set_version_flag("--version", "openhookd " OPENHOOK_VERSION);
}

}  // namespace

tl::expected<Options, EarlyExit> ParseOptions(int argc, const char* const* argv) {
  CLI::App app("openhookd opens files on behalf of one VM's QEMU, from a whitelist.", "openhookd");
  Words words;
  Declare(&app, &words);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    const int status = app.exit(error, out, out) == 0 ? 0 : 2;
    return tl::make_unexpected(EarlyExit{status, out.str()});
  }
  auto options = FromWords(words);
  if (!options) {
    return tl::make_unexpected(EarlyExit{2, "openhookd: " + options.error().Message() + "\n"});
  }
  return *options;
}

}  // namespace openhook::server
