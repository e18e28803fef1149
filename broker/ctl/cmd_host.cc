// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhookctl host enable, disable: whether this host's libvirt feeds the brokers.

#include <fmt/format.h>

#include <memory>
#include <ostream>

#include "broker/adopt/host_feed.h"
#include "broker/adopt/record.h"
#include "broker/base/text.h"
#include "broker/ctl/commands.h"
#include "broker/ctl/json_output.h"
#include "broker/ctl/libvirt_options.h"
#include "broker/doctor/host_paths.h"
#include "broker/doctor/security.h"
#include "broker/fs/directory.h"
#include "broker/fs/program_file.h"
#include "broker/program/run_program.h"

namespace openhook::ctl {

namespace {

constexpr std::chrono::seconds kPatience{120};

enum class Wish : std::uint8_t { kEnable, kDisable };

struct HostCommand {
  LibvirtOptions libvirt;
  bool no_restart = false;
};

Result<adopt::FeedPaths> FindPaths(Wish wish) {
  adopt::FeedPaths paths;
  paths.lock_driver = doctor::HostPaths().lock_drivers + "/openhook.so";
  auto hook = fs::FindProgramBeside("openhook-hook", OPENHOOK_PROGRAM_DIRECTORY);
  if (!hook && wish == Wish::kEnable) {
    return tl::make_unexpected(hook.error());
  }
  paths.hook = hook.value_or("");
  return paths;
}

// Their definitions run openhook-qemu, which does not start without a broker.
Result<void> CheckNoneAdopted(const HostCommand& command) {
  const auto adopted = adopt::Adoptions(command.libvirt.AdoptionsDirectory()).All();
  if (!adopted) {
    return tl::make_unexpected(adopted.error());
  }
  if (!adopted->empty()) {
    return Fail(ErrorCode::kConflict,
                fmt::format("{} domains are adopted and would not start any more; release them "
                            "first: openhookctl release {}",
                            adopted->size(), adopted->front()));
  }
  return {};
}

// The confinement of our own programs.
Result<void> LoadProfiles() {
  if (!doctor::IsAppArmorInForce()) {
    return {};
  }
  const auto run =
      RunProgram({.words = {"apparmor_parser", "--replace", "/etc/apparmor.d/openhookd",
                            "/etc/apparmor.d/openhook-loader", "/etc/apparmor.d/openhook-plan"},
                  .deadline = kPatience});
  if (!run || run->status != 0) {
    return Fail(ErrorCode::kUnavailable,
                "the AppArmor profiles of openhook's own programs could not be loaded: " +
                    (run ? OneLine(run->err) : run.error().Message()));
  }
  return {};
}

// libvirtd reads qemu.conf and looks for hooks when it starts. Running machines go on.
Result<std::string> Restart() {
  if (!fs::FileExists("/run/systemd/system").value_or(false)) {
    return std::string(
        "Restart libvirtd now: it reads this when it starts. Running machines go on.");
  }
  // The units of brokers are new to it, too.
  auto run = RunProgram({.words = {"systemctl", "daemon-reload"}, .deadline = kPatience});
  if (run && run->status == 0) {
    run = RunProgram(
        {.words = {"systemctl", "try-restart", "libvirtd.service"}, .deadline = kPatience});
  }
  if (!run || run->status != 0) {
    return Fail(ErrorCode::kUnavailable, "libvirtd could not be restarted: " +
                                             (run ? OneLine(run->err) : run.error().Message()) +
                                             "; do it by hand");
  }
  return std::string("libvirtd is restarted.");
}

void Show(const Invocation& invocation, const std::vector<std::string>& done,
          const std::string& restart) {
  if (invocation.options.json) {
    Json json;
    json["changed"] = done;
    invocation.out << Dump(json) << '\n';
    return;
  }
  for (const std::string& line : done) {
    invocation.out << line << '\n';
  }
  invocation.out << (done.empty() ? "There is nothing to change." : restart) << '\n';
}

Result<void> RunHost(const Invocation& invocation, const HostCommand& command, Wish wish) {
  const auto paths = FindPaths(wish);
  if (!paths) {
    return tl::make_unexpected(paths.error());
  }
  if (auto none = wish == Wish::kDisable ? CheckNoneAdopted(command) : Result<void>(); !none) {
    return none;
  }
  if (auto loaded = wish == Wish::kEnable ? LoadProfiles() : Result<void>(); !loaded) {
    return loaded;
  }
  const auto done = wish == Wish::kEnable ? adopt::EnableFeed(*paths) : adopt::DisableFeed(*paths);
  if (!done) {
    return tl::make_unexpected(done.error());
  }
  const auto restart = done->empty() || command.no_restart
                           ? Result<std::string>("libvirtd has to be restarted.")
                           : Restart();
  if (!restart) {
    return tl::make_unexpected(restart.error());
  }
  Show(invocation, *done, *restart);
  return {};
}

void AddOne(CLI::App* host, const Invocation& invocation, Action* chosen, Wish wish,
            const std::shared_ptr<HostCommand>& command) {
  CLI::App* one =
      wish == Wish::kEnable
          ? host->add_subcommand("enable", "Let libvirt call the hook and the lock driver")
          : host->add_subcommand("disable", "Take both out of libvirt's settings again");
  one->add_flag("--no-restart", command->no_restart, "Do not restart libvirtd");
  one->footer("Example: openhookctl host " + one->get_name());
  one->callback([&invocation, chosen, command, wish] {
    *chosen = [&invocation, command, wish] { return RunHost(invocation, *command, wish); };
  });
}

}  // namespace

void AddHostCommand(CLI::App* app, const Invocation& invocation, Action* chosen) {
  CLI::App* host = app->add_subcommand("host", "Whether this host's libvirt feeds the brokers");
  const auto command = std::make_shared<HostCommand>();
  host->require_subcommand(1);
  host->add_option("--config-dir", command->libvirt.config_dir, "Where adoptions are kept")
      ->check(AbsolutePathValidator())
      ->capture_default_str()
      ->type_name("DIRECTORY");
  AddOne(host, invocation, chosen, Wish::kEnable, command);
  AddOne(host, invocation, chosen, Wish::kDisable, command);
  host->footer("Example: openhookctl host enable");
}

}  // namespace openhook::ctl
