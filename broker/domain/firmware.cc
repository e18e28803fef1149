// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a machine starts from: firmware and its variables, a kernel given directly, ACPI tables,
// fw_cfg files; and what protects its memory.

#include "broker/domain/families.h"
#include "broker/domain/storage_source.h"

namespace openhook::domain {

namespace {

void AddRead(std::string_view path, std::string source, Planning* planning) {
  planning->Add({.path = std::string(path), .access = Access::kRead, .source = std::move(source)});
}

// Without readonly='no' nobody may write to firmware: images in /usr are shared by all machines.
void PlanLoader(const Element& os, Planning* planning) {
  const Element* loader = os.First("loader");
  if (loader != nullptr && !loader->Text().empty()) {
    WantedFile file{.path = std::string(loader->Text()), .source = "loader"};
    const bool writable =
        loader->Attribute("type") == "pflash" && loader->Attribute("readonly") == "no";
    file.access = writable ? Access::kReadWrite : Access::kRead;
    file.format = loader->AttributeOr("format", "raw");
    planning->Add(std::move(file));
  } else if (!os.Attribute("firmware").empty()) {
    planning->Warn("loader", "libvirt chooses the firmware (firmware='" +
                                 Shown(os.Attribute("firmware")) +
                                 "') when the machine starts: plan the definition of the running "
                                 "machine (virsh dumpxml NAME)");
  }
}

// The template is read by libvirt, which makes the machine's own file from it, before QEMU starts.
void PlanNvram(const Element& nvram, Planning* planning) {
  WantedFile use{.access = Access::kReadWrite, .source = "nvram"};
  use.format = nvram.AttributeOr("format", "raw");
  if (nvram.Has("source")) {
    PlanStorage(nvram, use, planning);
    return;
  }
  use.path = nvram.Text();
  if (use.path.empty() && !planning->name().empty()) {
    use.path = "/var/lib/libvirt/qemu/nvram/" + planning->name() +
               (use.format == "qcow2" ? "_VARS.qcow2" : "_VARS.fd");
    planning->Warn("nvram", "the definition names no file; libvirt's own choice is planned");
  }
  planning->Add(std::move(use));
}

void PlanOs(const Element& os, Planning* planning) {
  PlanLoader(os, planning);
  if (const Element* nvram = os.First("nvram")) {
    PlanNvram(*nvram, planning);
  }
  if (const Element* varstore = os.First("varstore")) {
    planning->Add({.path = std::string(varstore->Attribute("path")),
                   .access = Access::kReadWrite,
                   .source = "varstore"});
  }
  for (const char* name : {"kernel", "initrd", "dtb", "shim"}) {
    AddRead(os.TextOf(name), name, planning);
  }
  if (const Element* acpi = os.First("acpi")) {
    for (const Element* table : acpi->All("table")) {
      AddRead(table->Text(), "acpi table " + Shown(table->Attribute("type")), planning);
    }
  }
}

// <sysinfo type='smbios'> has values only.
void PlanSysinfo(const Element& sysinfo, Planning* planning) {
  for (const Element* entry : sysinfo.All("entry")) {
    AddRead(entry->Attribute("file"), "fw_cfg " + Shown(entry->Attribute("name")), planning);
  }
}

void PlanLaunchSecurity(const Element& security, Planning* planning) {
  const std::string_view type = security.Attribute("type");
  if (type == "sev" || type == "sev-snp") {
    planning->AddCharacterDevice("/dev/sev", "launchSecurity " + std::string(type));
  } else if (type == "tdx") {
    if (const Element* service = security.First("quoteGenerationService")) {
      planning->Add({.path = std::string(service->Attribute("path")),
                     .access = Access::kReadWrite,
                     .kind = Kind::kSocket,
                     .source = "launchSecurity tdx"});
    }
  } else if (type != "s390-pv") {
    planning->WarnUnknownType("launchSecurity", type);
  }
}

}  // namespace

void PlanFirmware(const Element& domain, Planning* planning) {
  if (const Element* os = domain.First("os")) {
    PlanOs(*os, planning);
  }
  for (const Element* sysinfo : domain.All("sysinfo")) {
    PlanSysinfo(*sysinfo, planning);
  }
  if (const Element* security = domain.First("launchSecurity")) {
    PlanLaunchSecurity(*security, planning);
  }
}

void PlanPstore(const Element& pstore, Planning* planning) {
  planning->Add(
      {.path = std::string(pstore.TextOf("path")), .access = Access::kCreate, .source = "pstore"});
}

}  // namespace openhook::domain
