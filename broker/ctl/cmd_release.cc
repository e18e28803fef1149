// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhookctl release: takes a libvirt domain off openhook again.

#include <fmt/format.h>

#include <memory>
#include <ostream>

#include "broker/adopt/adoption.h"
#include "broker/base/text.h"
#include "broker/ctl/commands.h"
#include "broker/ctl/json_output.h"
#include "broker/ctl/libvirt_options.h"
#include "broker/ctl/make_plan.h"

namespace openhook::ctl {

namespace {

struct ReleaseCommand {
  LibvirtOptions libvirt;
  bool dry_run = false;
};

// Is the definition what it was before adopting, to the last byte?
enum class Definition : std::uint8_t { kAsBefore, kChangedMeanwhile, kGone };

Definition Compare(const adopt::Change& change) {
  if (change.before.empty()) {
    return Definition::kGone;
  }
  return adopt::Apply(change.before, change.edits) == change.original
             ? Definition::kAsBefore
             : Definition::kChangedMeanwhile;
}

std::string_view Sentence(Definition definition) {
  switch (definition) {
    case Definition::kAsBefore:
      return "Its definition is what it was before it was adopted, byte for byte.";
    case Definition::kChangedMeanwhile:
      return "Its definition was changed by others since it was adopted; those changes stay.";
    case Definition::kGone:
      break;
  }
  return "It is no longer defined; what was kept of it is removed.";
}

void Show(const Invocation& invocation, const ReleaseCommand& command,
          const adopt::Change& change) {
  if (invocation.options.json) {
    Json json;
    json["uuid"] = change.domain.uuid;
    json["name"] = change.domain.name;
    json["was_adopted"] = change.was_adopted;
    json["changed"] = change.was_adopted && !command.dry_run;
    json["as_before"] = Compare(change) == Definition::kAsBefore;
    json["still_served"] = change.still_served;
    json["diff"] = adopt::ShowEdits(change.before, change.edits);
    invocation.out << Dump(json) << '\n';
    return;
  }
  invocation.out << fmt::format("Machine {}, {}\n", Quote(change.domain.name),
                                Escape(change.domain.uuid));
  if (!change.was_adopted) {
    invocation.out << "It is not adopted; there is nothing to release.\n";
    return;
  }
  invocation.out << adopt::ShowEdits(change.before, change.edits);
  if (command.dry_run) {
    invocation.out << "Nothing was changed (--dry-run).\n";
    return;
  }
  invocation.out << Sentence(Compare(change)) << '\n';
  if (change.still_served) {
    invocation.err
        << "openhookctl: note: the machine runs with openhook-qemu, so its broker serves "
           "it until it stops; run this command again then, to remove what is kept\n";
  } else {
    invocation.out << "Released.\n";
  }
}

Result<void> RunRelease(const Invocation& invocation, const ReleaseCommand& command) {
  const auto host = Reach(command.libvirt, command.dry_run ? Effect::kShow : Effect::kDo);
  if (!host) {
    return tl::make_unexpected(host.error());
  }
  const auto change = adopt::PrepareToRelease(
      host->virsh, host->adoptions, [](std::string_view xml) { return ReadDefinition(xml); },
      command.libvirt.domain);
  if (!change) {
    return tl::make_unexpected(change.error());
  }
  if (!command.dry_run) {
    if (auto released = adopt::Release(host->virsh, host->adoptions, *change); !released) {
      return released;
    }
  }
  Show(invocation, command, *change);
  return {};
}

}  // namespace

void AddReleaseCommand(CLI::App* app, const Invocation& invocation, Action* chosen) {
  CLI::App* release = app->add_subcommand("release", "Take a libvirt domain off openhook again");
  const auto command = std::make_shared<ReleaseCommand>();
  release->add_option("domain", command->libvirt.domain, "Name or UUID of the domain")
      ->required()
      ->type_name("DOMAIN");
  AddLibvirtOptions(release, &command->libvirt);
  release->add_flag("--dry-run", command->dry_run, "Show what would change, and change nothing");
  release->footer("Example: openhookctl release vm1");
  release->callback([&invocation, chosen, command] {
    *chosen = [&invocation, command] { return RunRelease(invocation, *command); };
  });
}

}  // namespace openhook::ctl
