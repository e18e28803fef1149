// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/adopt/adoption.h"

#include <sys/utsname.h>

#include <algorithm>

#include "broker/adopt/image_owners.h"
#include "broker/base/text.h"
#include "broker/fs/program_file.h"

namespace openhook::adopt {

namespace {

constexpr std::string_view kSystemQemu = "qemu-system-";

Wanted WantedOf(const Record& record) { return {record.wrapper, record.apparmor_label}; }

void Set(Settings* settings, const std::string& key, const std::string& value) {
  const auto found = std::find_if(settings->begin(), settings->end(),
                                  [&](const auto& one) { return one.first == key; });
  if (found == settings->end()) {
    settings->emplace_back(key, value);
  } else {
    found->second = value;
  }
}

// A user that the definition names for this machine alone, else the host's.
std::string VmUserOf(const domain::Places& places, const HostSecurity& security) {
  for (const domain::LabelPlace& label : places.labels) {
    if (label.model == "dac" && label.type == "static" && !label.label.empty()) {
      return UserOfLabel(label.label);
    }
  }
  return security.vm_user;
}

std::string_view NameOf(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool IsWrapper(std::string_view emulator) { return NameOf(emulator).starts_with("openhook-qemu"); }

// A wrapper knows its QEMU by its own name, also when libvirt only asks what that QEMU can do
// (qemu-shim/launcher/emulator.h).
Result<std::string> WrapperFor(const std::string& emulator, const std::string& programs) {
  const std::string_view name = NameOf(emulator);
  if (!fs::IsProgram(emulator)) {
    return Fail(ErrorCode::kInvalidArgument,
                "its emulator " + Quote(emulator) +
                    " is no program of this host; install it, or name another with 'virsh edit'");
  }
  const bool known = name.starts_with(kSystemQemu) && emulator == "/usr/bin/" + std::string(name);
  std::string wrapper = programs + "/openhook-" + std::string(name);
  if (known && fs::IsProgram(wrapper)) {
    return wrapper;
  }
  utsname system{};
  ::uname(&system);
  if (known && name.substr(kSystemQemu.size()) == system.machine) {
    return programs + "/openhook-qemu";
  }
  return Fail(ErrorCode::kUnsupported,
              "its emulator is " + Quote(emulator) + ", and openhook-qemu stands for /usr/bin/" +
                  std::string(kSystemQemu) + system.machine +
                  (known ? "; a link " + Quote(wrapper) + " to it stands for this one"
                         : "; name that one with 'virsh edit'"));
}

// Of a definition that has been adopted already: what it was before.
Result<void> TakeKeptOriginal(const Adoptions& adoptions, Change* change) {
  auto kept = adoptions.Original(change->domain.uuid);
  if (!kept) {
    return tl::make_unexpected(kept.error());
  }
  if (!*kept) {
    return Fail(ErrorCode::kConflict,
                "its definition runs openhook-qemu, and " +
                    Quote(adoptions.OriginalPath(change->domain.uuid)) +
                    ", which says what it ran before, is gone; name its QEMU as <emulator> with "
                    "'virsh edit " +
                    change->domain.uuid + "', and try again");
  }
  change->original = std::move(**kept);
  return {};
}

Result<void> FindWhatToRevert(const Adoptions& adoptions, const Planner& planner, Change* change) {
  const auto original = adoptions.Original(change->domain.uuid);
  if (!original) {
    return tl::make_unexpected(original.error());
  }
  if (!*original) {
    return {};
  }
  change->original = **original;
  const auto before = planner(change->original);
  if (!before) {
    return tl::make_unexpected(before.error());
  }
  change->edits = EditsToRelease({change->before, change->plan.places},
                                 {change->original, before->places}, WantedOf(change->record));
  return {};
}

Result<void> FindOriginal(const Adoptions& adoptions, const Planner& planner, Change* change) {
  if (IsWrapper(change->plan.places.emulator_path)) {
    return TakeKeptOriginal(adoptions, change);
  }
  // Somebody may have put back the emulator alone: then labels of ours are left in it.
  Change left = *change;
  return FindWhatToRevert(adoptions, planner, &left).map([&] {
    change->original = Apply(change->before, left.edits);
  });
}

Result<void> Look(const Virsh& virsh, const Planner& planner, Change* change) {
  auto before = virsh.Definition(change->domain.uuid, Virsh::Which::kPersistent);
  if (!before) {
    return tl::make_unexpected(before.error());
  }
  change->before = std::move(*before);
  auto plan = planner(change->before);
  if (!plan) {
    return tl::make_unexpected(plan.error());
  }
  change->plan = std::move(*plan);
  return {};
}

// The domain, its state and definition.
Result<Change> Begin(const Virsh& virsh, const Planner& planner, const std::string& domain) {
  Change change;
  const auto found = virsh.Find(domain);
  if (!found) {
    return tl::make_unexpected(found.error());
  }
  change.domain = *found;
  const auto state = virsh.StateOf(found->uuid);
  if (!state) {
    return tl::make_unexpected(state.error());
  }
  change.state = *state;
  if (!state->persistent) {
    return Fail(ErrorCode::kUnsupported,
                Quote(found->name) +
                    " is transient: there is no definition that could be changed; "
                    "define it first ('virsh define')");
  }
  return Look(virsh, planner, &change).map([&] { return std::move(change); });
}

Result<void> ComposeSettings(const Adoptions& adoptions, const HostSecurity& security,
                             const domain::Places& original, Change* change) {
  const auto kept = adoptions.SettingsOf(change->domain.uuid);
  if (!kept) {
    return tl::make_unexpected(kept.error());
  }
  change->was_adopted = kept->has_value();
  change->settings = kept->value_or(Settings());
  const std::string user = VmUserOf(original, security);
  if (!user.empty()) {
    Set(&change->settings, "vm-user", user);
  }
  if (security.Has("apparmor")) {
    Set(&change->settings, "profile", "apparmor");
  }
  return {};
}

// What is to be, by what the definition was before anything of ours.
Result<void> Compose(const Adoptions& adoptions, const Planner& planner,
                     const HostSecurity& security, const AdoptOptions& options, Change* change) {
  if (auto found = FindOriginal(adoptions, planner, change); !found) {
    return found;
  }
  const auto original = planner(change->original);
  if (!original) {
    return tl::make_unexpected(original.error());
  }
  if (security.Has("apparmor") && options.label == AppArmorLabel::kStatic) {
    change->record.apparmor_label = "libvirt-" + change->domain.uuid;
  } else if (!IsWrapper(change->plan.places.emulator_path)) {
    change->record.apparmor_label = "";  // else releasing has to know which label is ours
  }
  // Said by the edits, with what to do.
  if (!original->places.emulator_path.empty()) {
    auto wrapper = WrapperFor(original->places.emulator_path, options.programs);
    if (!wrapper) {
      return tl::make_unexpected(wrapper.error());
    }
    change->record.wrapper = std::move(*wrapper);
  }
  return ComposeSettings(adoptions, security, original->places, change);
}

// Did libvirt keep what it was given?
Result<void> Verify(const Virsh& virsh, const Planner& planner, const Change& change) {
  Change now;
  now.domain = change.domain;
  if (auto looked = Look(virsh, planner, &now); !looked) {
    return looked;
  }
  const auto edits = EditsToAdopt({now.before, now.plan.places}, WantedOf(change.record));
  if (!edits) {
    return tl::make_unexpected(edits.error());
  }
  if (!edits->empty()) {
    return Fail(ErrorCode::kConflict,
                "libvirt took the definition and changed it; look at 'virsh dumpxml --inactive " +
                    change.domain.uuid + "'");
  }
  return {};
}

Result<void> KeepAndDefine(const Virsh& virsh, const Adoptions& adoptions, const Planner& planner,
                           const Change& change) {
  const std::string& uuid = change.domain.uuid;
  return adoptions.SetOriginal(uuid, change.original)
      .and_then([&] { return adoptions.SetRecord(uuid, change.record); })
      .and_then([&] { return GiveAllToRoot(change.to_secure); })
      // Before the definition: one that names openhook-qemu does not start without it.
      .and_then([&] { return adoptions.SetSettings(uuid, change.settings); })
      .and_then([&] { return virsh.Define(Apply(change.before, change.edits)); })
      .and_then([&] { return Verify(virsh, planner, change); });
}

// Does the process that runs now know the broker?
Result<bool> RunsWrapper(const Virsh& virsh, const Planner& planner, const Change& change) {
  if (!change.state.running) {
    return false;
  }
  const auto live = virsh.Definition(change.domain.uuid, Virsh::Which::kLive);
  if (!live && live.error().code == ErrorCode::kNotFound) {
    return false;  // it has stopped meanwhile
  }
  if (!live) {
    return tl::make_unexpected(live.error());
  }
  return planner(*live).map(
      [&](const domain::Plan& plan) { return plan.places.emulator_path == change.record.wrapper; });
}

// A domain that is no longer defined has nothing but what is kept of it.
Result<Change> LeftBehind(const Adoptions& adoptions, const std::string& uuid, const Error& error) {
  const auto kept = adoptions.RecordOf(uuid);
  const bool adopted = adoptions.IsAdopted(uuid).value_or(false) || (kept && kept->has_value());
  if (error.code != ErrorCode::kNotFound || !adopted) {
    return tl::make_unexpected(error);
  }
  Change change;
  change.domain = {uuid, uuid};
  change.record = kept && *kept ? **kept : Record();
  change.was_adopted = true;
  return change;
}

}  // namespace

Result<Change> PrepareToAdopt(const Virsh& virsh, const Adoptions& adoptions,
                              const Planner& planner, const std::string& domain,
                              const AdoptOptions& options) {
  auto change = Begin(virsh, planner, domain);
  if (!change) {
    return change;
  }
  const auto security = virsh.Security();
  const auto kept = adoptions.RecordOf(change->domain.uuid);
  if (!security || !kept) {
    return tl::make_unexpected(security ? kept.error() : security.error());
  }
  change->record = kept->value_or(Record());
  if (auto composed = Compose(adoptions, planner, *security, options, &*change); !composed) {
    return tl::make_unexpected(composed.error());
  }
  auto edits = EditsToAdopt({change->before, change->plan.places}, WantedOf(change->record));
  if (!edits) {
    return tl::make_unexpected(edits.error());
  }
  change->edits = std::move(*edits);
  return change;
}

Result<void> Adopt(const Virsh& virsh, const Adoptions& adoptions, const Planner& planner,
                   const Change& change) {
  auto done = KeepAndDefine(virsh, adoptions, planner, change);
  if (done || change.was_adopted) {
    return done;
  }
  // The definition is as it was: libvirt takes a new one whole or not at all.
  const auto now = virsh.Definition(change.domain.uuid, Virsh::Which::kPersistent);
  if (now && *now == change.original) {
    const auto undone = GiveAllBack(change.record.images).and_then([&] {
      return adoptions.Forget(change.domain.uuid);
    });
    if (!undone) {
      Error error = std::move(done).error();
      error.context += "; and what was begun is not undone: " + undone.error().Message();
      return tl::make_unexpected(std::move(error));
    }
  }
  return done;
}

Result<Change> PrepareToRelease(const Virsh& virsh, const Adoptions& adoptions,
                                const Planner& planner, const std::string& domain) {
  auto change = Begin(virsh, planner, domain);
  if (!change) {
    return LeftBehind(adoptions, domain, change.error());
  }
  const std::string& uuid = change->domain.uuid;
  const auto kept = adoptions.RecordOf(uuid);
  const auto adopted = adoptions.IsAdopted(uuid);
  if (!kept || !adopted) {
    return tl::make_unexpected(kept ? adopted.error() : kept.error());
  }
  change->record = kept->value_or(Record());
  if (auto found = FindWhatToRevert(adoptions, planner, &*change); !found) {
    return tl::make_unexpected(found.error());
  }
  change->was_adopted = *adopted || kept->has_value() || !change->original.empty();
  const auto served = RunsWrapper(virsh, planner, *change);
  if (!served) {
    return tl::make_unexpected(served.error());
  }
  change->still_served = *served;
  return change;
}

Result<void> Release(const Virsh& virsh, const Adoptions& adoptions, const Change& change) {
  if (!change.edits.empty()) {
    if (auto defined = virsh.Define(Apply(change.before, change.edits)); !defined) {
      return defined;
    }
  }
  if (change.still_served) {
    return {};
  }
  return GiveAllBack(change.record.images).and_then([&] {
    return adoptions.Forget(change.domain.uuid);
  });
}

}  // namespace openhook::adopt
