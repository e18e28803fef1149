// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhookctl adopt: puts a libvirt domain under openhook, by two or three elements of its
// definition and a file that says so.

#include <fmt/format.h>
#include <pwd.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <ostream>
#include <vector>

#include "broker/adopt/adoption.h"
#include "broker/adopt/image_owners.h"
#include "broker/base/text.h"
#include "broker/ctl/commands.h"
#include "broker/ctl/libvirt_options.h"
#include "broker/ctl/make_plan.h"
#include "broker/ctl/plan_output.h"
#include "broker/fs/program_file.h"

namespace openhook::ctl {

namespace {

using adopt::SecuredImage;

struct AdoptCommand {
  LibvirtOptions libvirt;
  std::string forbid = kDefaultForbiddenList;
  bool dry_run = false;
  bool keep_label = false;
  bool secure_files = false;
};

// What adopting would do, and what to say about it.
struct Prepared {
  adopt::Change change;
  HostPlan plan;
  std::vector<SecuredImage> owned;  // by QEMU's user, now
  std::vector<std::string> notes;
};

std::optional<uid_t> UidOf(const adopt::Settings& settings) {
  const auto found = std::find_if(settings.begin(), settings.end(),
                                  [](const auto& one) { return one.first == "vm-user"; });
  if (found == settings.end()) {
    return std::nullopt;
  }
  const std::string& word = found->second;
  uid_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error == std::errc() && end == word.data() + word.size()) {
    return number;
  }
  std::vector<char> buffer(std::size_t{16} << 10);
  passwd entry{};
  passwd* user = nullptr;
  ::getpwnam_r(word.c_str(), &entry, buffer.data(), buffer.size(), &user);
  return user == nullptr ? std::nullopt : std::optional(user->pw_uid);
}

std::vector<SecuredImage> FindOwned(const HostPlan& plan, uid_t user) {
  std::vector<std::string> paths;
  for (const PlannedGrant& grant : plan.grants) {
    if (grant.exists && grant.kind == domain::Kind::kFile) {
      paths.push_back(grant.path);
    }
  }
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  return adopt::OwnedBy(user, paths);
}

// Into the record, so that releasing gives them back.
void Record(const std::vector<SecuredImage>& owned, adopt::Record* record) {
  for (const SecuredImage& image : owned) {
    std::erase_if(record->images, [&](const SecuredImage& one) { return one.path == image.path; });
    record->images.push_back(image);
  }
}

Result<void> PrepareOwners(const AdoptCommand& command, Prepared* prepared) {
  const auto user = UidOf(prepared->change.settings);
  if (!user) {
    return {};
  }
  prepared->owned = FindOwned(prepared->plan, *user);
  if (prepared->owned.empty() || !command.secure_files) {
    return {};
  }
  if (auto free = adopt::CheckNobodyHas(prepared->owned); !free) {
    return free;
  }
  Record(prepared->owned, &prepared->change.record);
  prepared->change.to_secure = prepared->owned;
  return {};
}

void AddNotes(const AdoptCommand& command, Prepared* prepared) {
  const adopt::Virsh::State& state = prepared->change.state;
  auto& notes = prepared->notes;
  if (state.running) {
    notes.emplace_back(
        "the machine runs: this takes effect when it is shut down and started again, not by a "
        "reboot from inside");
  }
  if (state.managed_save) {
    notes.emplace_back(
        "the machine has a saved state, which its next start goes on from as it was saved; this "
        "takes effect at the start after that ('virsh managedsave-remove' drops the state)");
  }
  if (!prepared->owned.empty() && !command.secure_files) {
    std::string paths;
    for (const SecuredImage& image : prepared->owned) {
      paths += "\n    " + Quote(image.path);
    }
    notes.push_back(
        "QEMU's user owns these files and could change their mode without the broker; "
        "--secure-files gives them to root:" +
        paths);
  }
}

Result<Prepared> Prepare(const AdoptCommand& command, const adopt::Virsh& virsh,
                         const adopt::Adoptions& adoptions) {
  const auto wrapper = fs::FindProgramBeside("openhook-qemu", OPENHOOK_PROGRAM_DIRECTORY);
  const auto forbidden = ReadForbidden(command.forbid);
  if (!wrapper || !forbidden) {
    return tl::make_unexpected(wrapper ? forbidden.error() : wrapper.error());
  }
  const adopt::AdoptOptions options{
      wrapper->substr(0, wrapper->rfind('/')),
      command.keep_label ? adopt::AppArmorLabel::kKept : adopt::AppArmorLabel::kStatic};
  auto change = adopt::PrepareToAdopt(
      virsh, adoptions, [](std::string_view xml) { return ReadDefinition(xml); },
      command.libvirt.domain, options);
  if (!change) {
    return tl::make_unexpected(change.error());
  }
  Prepared prepared{std::move(*change), {}, {}, {}};
  prepared.plan = PlanOnHost(prepared.change.plan, *forbidden);
  if (auto owners = PrepareOwners(command, &prepared); !owners) {
    return tl::make_unexpected(owners.error());
  }
  AddNotes(command, &prepared);
  return prepared;
}

bool IsNothingToDo(const Prepared& prepared, const AdoptCommand& command) {
  return prepared.change.was_adopted && prepared.change.edits.empty() &&
         (!command.secure_files || prepared.owned.empty());
}

Json ToJson(const Prepared& prepared, const AdoptCommand& command, Effect effect) {
  Json json;
  json["uuid"] = prepared.change.domain.uuid;
  json["name"] = prepared.change.domain.name;
  json["adopted"] = prepared.change.was_adopted || effect == Effect::kDo;
  json["changed"] = effect == Effect::kDo && !IsNothingToDo(prepared, command);
  json["running"] = prepared.change.state.running;
  json["diff"] = adopt::ShowEdits(prepared.change.before, prepared.change.edits);
  json["settings"] = Json::object();
  for (const auto& [key, value] : prepared.change.settings) {
    json["settings"][key] = value;
  }
  json["owned_by_vm_user"] = Json::array();
  for (const SecuredImage& image : prepared.owned) {
    Json one;
    SetPath(&one, "path", image.path);
    json["owned_by_vm_user"].push_back(std::move(one));
  }
  json["notes"] = prepared.notes;
  json["plan"] = PlanToJson(prepared.plan);
  return json;
}

void ShowText(const Invocation& invocation, const Prepared& prepared, const AdoptCommand& command,
              Effect effect) {
  const std::string name = Quote(prepared.change.domain.name);
  const bool does = effect == Effect::kDo;
  invocation.out << fmt::format("Machine {}, {}\n", name, prepared.change.domain.uuid);
  if (IsNothingToDo(prepared, command)) {
    invocation.out << "It is adopted; there is nothing to change.\n";
    return;
  }
  invocation.out << (does ? "Its broker gives it:\n" : "Its broker would give it:\n")
                 << RenderPlan(prepared.plan)
                 << (does ? "Its definition has changed:\n" : "Its definition would change:\n")
                 << adopt::ShowEdits(prepared.change.before, prepared.change.edits);
  if (command.secure_files) {
    for (const SecuredImage& image : prepared.owned) {
      invocation.out << (does ? "Given to root: " : "Would be given to root: ") << Quote(image.path)
                     << '\n';
    }
  }
  invocation.out << (does ? fmt::format("Adopted {}. 'openhookctl release {}' takes it back.\n",
                                        name, prepared.change.domain.uuid)
                          : "Nothing was changed (--dry-run).\n");
}

void Show(const Invocation& invocation, const Prepared& prepared, const AdoptCommand& command,
          Effect effect) {
  if (invocation.options.json) {
    invocation.out << Dump(ToJson(prepared, command, effect)) << '\n';
    return;
  }
  ShowText(invocation, prepared, command, effect);
  for (const std::string& warning : prepared.plan.warnings) {
    invocation.err << "openhookctl: warning: " << OneLine(warning) << '\n';
  }
  for (const std::string& note : prepared.notes) {
    invocation.err << "openhookctl: note: " << note << '\n';
  }
}

Result<void> RunAdopt(const Invocation& invocation, const AdoptCommand& command) {
  const Effect effect = command.dry_run ? Effect::kShow : Effect::kDo;
  const auto host = Reach(command.libvirt, effect);
  if (!host) {
    return tl::make_unexpected(host.error());
  }
  const auto prepared = Prepare(command, host->virsh, host->adoptions);
  if (!prepared) {
    return tl::make_unexpected(prepared.error());
  }
  if (auto allowed = CheckRefused(prepared->plan); !allowed) {
    return allowed;
  }
  if (effect == Effect::kDo && !IsNothingToDo(*prepared, command)) {
    const auto adopted = adopt::Adopt(
        host->virsh, host->adoptions, [](std::string_view xml) { return ReadDefinition(xml); },
        prepared->change);
    if (!adopted) {
      return adopted;
    }
  }
  Show(invocation, *prepared, command, effect);
  return {};
}

}  // namespace

void AddAdoptCommand(CLI::App* app, const Invocation& invocation, Action* chosen) {
  CLI::App* adopt =
      app->add_subcommand("adopt", "Put a libvirt domain under openhook, from its next start on");
  const auto command = std::make_shared<AdoptCommand>();
  adopt->add_option("domain", command->libvirt.domain, "Name or UUID of the domain")
      ->required()
      ->type_name("DOMAIN");
  AddLibvirtOptions(adopt, &command->libvirt);
  adopt->add_flag("--dry-run", command->dry_run, "Show what would change, and change nothing");
  adopt->add_flag("--keep-label", command->keep_label,
                  "Leave what the definition says of AppArmor, and libvirt's helper, as they are");
  adopt->add_flag(
      "--secure-files", command->secure_files,
      "Give images that QEMU's user owns to root, mode 0600; releasing gives them back");
  adopt
      ->add_option("--forbid", command->forbid,
                   "The list of paths that no machine may have; not given: the one compiled in")
      ->type_name("FILE");
  adopt->footer(
      "Examples: openhookctl adopt vm1 --dry-run\n"
      "          openhookctl adopt vm1");
  adopt->callback([&invocation, chosen, command] {
    *chosen = [&invocation, command] { return RunAdopt(invocation, *command); };
  });
}

}  // namespace openhook::ctl
