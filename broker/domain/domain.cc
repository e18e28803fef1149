// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/domain/domain.h"

#include <algorithm>
#include <array>
#include <map>

#include "broker/base/text.h"
#include "broker/domain/families.h"
#include "broker/domain/xml.h"

namespace openhook::domain {

namespace {

// Devices that make QEMU open nothing that a definition could name. <lease> is the lock manager's,
// <emulator> is executed.
constexpr auto kQuiet = std::to_array<std::string_view>(
    {"emulator", "controller", "hub", "memballoon", "sound", "watchdog", "panic", "iommu", "lease",
     "nvram", "crypto", "vmcoreinfo"});

// Elements beside <devices> that make QEMU open nothing.
constexpr auto kQuietTop = std::to_array<std::string_view>({"name",
                                                            "uuid",
                                                            "genid",
                                                            "title",
                                                            "description",
                                                            "metadata",
                                                            "maxMemory",
                                                            "memory",
                                                            "currentMemory",
                                                            "vcpu",
                                                            "vcpus",
                                                            "iothreads",
                                                            "iothreadids",
                                                            "cputune",
                                                            "memtune",
                                                            "blkiotune",
                                                            "numatune",
                                                            "resource",
                                                            "bootloader",
                                                            "bootloader_args",
                                                            "cpu",
                                                            "features",
                                                            "clock",
                                                            "on_poweroff",
                                                            "on_reboot",
                                                            "on_crash",
                                                            "on_lockfailure",
                                                            "pm",
                                                            "perf",
                                                            "seclabel",
                                                            "keywrap",
                                                            "idmap",
                                                            "os",
                                                            "sysinfo",
                                                            "launchSecurity",
                                                            "memoryBacking",
                                                            "devices",
                                                            "defaultiothread",
                                                            "throttlegroups",
                                                            "hwuuid",
                                                            "fibrechannel"});

bool Contains(const auto& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

using Numbered = void (*)(const Element&, std::size_t, Planning*);
using Single = void (*)(const Element&, Planning*);

struct Handler {
  std::string_view element;
  Numbered numbered = nullptr;
  Single single = nullptr;
};

constexpr auto kHandlers = std::to_array<Handler>({
    {.element = "disk", .single = PlanDisk},
    {.element = "serial", .numbered = PlanCharDevice},
    {.element = "parallel", .numbered = PlanCharDevice},
    {.element = "console", .numbered = PlanCharDevice},
    {.element = "channel", .numbered = PlanCharDevice},
    {.element = "redirdev", .numbered = PlanCharDevice},
    {.element = "smartcard", .numbered = PlanSmartcard},
    {.element = "hostdev", .numbered = PlanHostDevice},
    {.element = "interface", .numbered = PlanInterface},
    {.element = "vsock", .single = PlanVsock},
    {.element = "memory", .numbered = PlanMemoryDevice},
    {.element = "shmem", .single = PlanShmem},
    {.element = "graphics", .single = PlanGraphics},
    {.element = "video", .numbered = PlanVideo},
    {.element = "audio", .single = PlanAudio},
    {.element = "input", .numbered = PlanInput},
    {.element = "filesystem", .single = PlanFilesystem},
    {.element = "rng", .numbered = PlanRng},
    {.element = "tpm", .single = PlanTpm},
    {.element = "pstore", .single = PlanPstore},
    // A filter of redirected devices is a list of numbers.
    {.element = "redirfilter", .single = [](const Element&, Planning*) {}},
});

void PlanDevice(const Element& device, std::size_t number, Planning* planning) {
  const auto* handler = std::find_if(kHandlers.begin(), kHandlers.end(), [&](const Handler& one) {
    return one.element == device.name;
  });
  if (handler == kHandlers.end()) {
    if (!Contains(kQuiet, device.name)) {
      planning->Warn("devices", "the element <" + Shown(device.name) +
                                    "> is not known; what it opens is not in this plan");
    }
  } else if (handler->numbered != nullptr) {
    handler->numbered(device, number, planning);
  } else {
    handler->single(device, planning);
  }
}

void PlanDevices(const Element& domain, Planning* planning) {
  std::map<std::string, std::size_t, std::less<>> numbers;
  for (const Element* devices : domain.All("devices")) {
    for (const Element& device : devices->children) {
      if (device.namespace_uri.empty()) {
        PlanDevice(device, numbers[device.name]++, planning);
      }
    }
  }
}

void WarnUnknownElements(const Element& domain, Planning* planning) {
  for (const Element& element : domain.children) {
    if (element.namespace_uri.empty() && !Contains(kQuietTop, element.name)) {
      planning->Warn("domain", "the element <" + Shown(element.name) +
                                   "> is not known; what it opens is not in this plan");
    }
  }
}

void PlanHypervisor(Planning* planning) {
  if (planning->IsKvm()) {
    planning->AddCharacterDevice("/dev/kvm", "kvm");
  } else if (planning->type() != "qemu") {
    planning->Warn("domain", "type " + Quote(planning->type(), 64) +
                                 " is not one of QEMU's (kvm, qemu); planned as qemu");
  }
}

// libvirt hands every secret of a running machine to QEMU under a key that lies in this file.
void PlanMasterKey(Planning* planning) {
  if (!planning->short_name().empty()) {
    planning->Add(
        {.path = "/var/lib/libvirt/qemu/domain-" + planning->short_name() + "/master-key.aes",
         .access = Access::kRead,
         .source = "master key",
         .presence = Presence::kIfThere});
  }
}

}  // namespace

Result<Plan> PlanDomain(std::string_view xml, CommandLine command_line) {
  const auto root = ParseXml(xml);
  if (!root) {
    return tl::make_unexpected(root.error());
  }
  if (root->name != "domain" || !root->namespace_uri.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "the definition is no domain: its root element is <" + Shown(root->name) + ">");
  }
  Planning planning(*root);
  if (planning.name().empty()) {
    planning.Warn("domain", "it has no name");
  }
  PlanHypervisor(&planning);
  PlanMasterKey(&planning);
  PlanFirmware(*root, &planning);
  PlanMemoryBacking(*root, &planning);
  PlanDevices(*root, &planning);
  PlanCommandLine(*root, command_line, &planning);
  WarnUnknownElements(*root, &planning);
  auto plan = planning.Finish();
  if (plan) {
    plan->places = PlacesOf(*root);
  }
  return plan;
}

}  // namespace openhook::domain
