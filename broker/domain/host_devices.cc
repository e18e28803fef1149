// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Devices of the host that a machine gets. Managed or not makes no difference to what QEMU opens:
// it says who binds the driver.

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "broker/base/text.h"
#include "broker/domain/families.h"

namespace openhook::domain {

namespace {

// Numbers as libvirt takes them: decimal, or hexadecimal with 0x.
std::optional<unsigned> Number(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    text.remove_prefix(2);
    base = 16;
  }
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

// 0000:01:00.0, as in /sys/bus/pci/devices.
std::optional<std::string> PciAddress(const Element& source) {
  const Element* address = source.First("address");
  if (address == nullptr) {
    return std::nullopt;
  }
  const auto domain = Number(address->AttributeOr("domain", "0"));
  const auto bus = Number(address->AttributeOr("bus", "0"));
  const auto slot = Number(address->AttributeOr("slot", "0"));
  const auto function = Number(address->AttributeOr("function", "0"));
  if (!domain || !bus || !slot || !function) {
    return std::nullopt;
  }
  return fmt::format("{:04x}:{:02x}:{:02x}.{:x}", *domain, *bus, *slot, *function);
}

void PlanPci(const Element& holder, const std::string& source, bool iommufd, Planning* planning) {
  const auto address = PciAddress(holder);
  if (!address) {
    planning->Warn(source, "its PCI address cannot be read; the device is not in this plan");
    return;
  }
  const std::string whole = source + " pci " + *address;
  if (iommufd) {
    planning->AddCharacterDevice("/dev/iommu", whole);
  } else {
    planning->AddVfio(whole);
  }
  planning->AddDevice({.kind = iommufd ? DeviceKind::kPciDevice : DeviceKind::kPciGroup,
                       .key = *address,
                       .source = whole});
}

void PlanUsb(const Element& holder, const std::string& source, Planning* planning) {
  if (const Element* address = holder.First("address")) {
    const auto bus = Number(address->Attribute("bus"));
    const auto device = Number(address->Attribute("device"));
    if (bus && device) {
      planning->AddCharacterDevice(fmt::format("/dev/bus/usb/{:03d}/{:03d}", *bus, *device),
                                   source + " usb");
      return;
    }
  }
  const Element* vendor = holder.First("vendor");
  const Element* product = holder.First("product");
  const auto vendor_id = vendor == nullptr ? std::nullopt : Number(vendor->Attribute("id"));
  const auto product_id = product == nullptr ? std::nullopt : Number(product->Attribute("id"));
  if (!vendor_id || !product_id) {
    planning->Warn(source, "its USB device cannot be read; it is not in this plan");
    return;
  }
  planning->AddDevice({.kind = DeviceKind::kUsbProduct,
                       .key = fmt::format("{:04x}:{:04x}", *vendor_id, *product_id),
                       .source = source + " usb"});
}

void PlanMdev(const Element& holder, const std::string& source, Planning* planning) {
  const Element* address = holder.First("address");
  if (address == nullptr || address->Attribute("uuid").empty()) {
    planning->Warn(source, "it names no mediated device; nothing of it is in this plan");
    return;
  }
  const std::string uuid(address->Attribute("uuid"));
  planning->AddVfio(source + " mdev");
  planning->AddDevice(
      {.kind = DeviceKind::kMdevGroup, .key = uuid, .source = source + " mdev " + Shown(uuid)});
}

void PlanScsi(const Element& hostdev, const Element& holder, const std::string& source,
              Planning* planning) {
  if (holder.Attribute("protocol") == "iscsi") {
    const Element* host = holder.First("host");
    planning->AddNetwork({"iscsi://" + std::string(host == nullptr ? "" : host->Attribute("name")) +
                              "/" + std::string(holder.Attribute("name")),
                          source + " scsi", 0});
    return;
  }
  const Element* adapter = holder.First("adapter");
  const Element* address = holder.First("address");
  const std::string_view name = adapter == nullptr ? "" : adapter->Attribute("name");
  if (address == nullptr || !name.starts_with("scsi_host")) {
    planning->Warn(source, "its SCSI device cannot be read; it is not in this plan");
    return;
  }
  const std::string key = std::string(name.substr(std::string_view("scsi_host").size())) + ":" +
                          address->AttributeOr("bus", "0") + ":" +
                          address->AttributeOr("target", "0") + ":" +
                          address->AttributeOr("unit", "0");
  planning->AddDevice({.kind = DeviceKind::kScsiGeneric,
                       .key = key,
                       .access = hostdev.Has("readonly") ? Access::kRead : Access::kReadWrite,
                       .source = source + " scsi " + Shown(key)});
}

bool UsesIommufd(const Element& hostdev) {
  const Element* driver = hostdev.First("driver");
  return driver != nullptr && driver->Attribute("iommufd") == "yes";
}

void PlanSubsystem(const Element& hostdev, const Element& holder, const std::string& source,
                   Planning* planning) {
  const std::string_view type = hostdev.Attribute("type");
  if (type == "pci") {
    PlanPci(holder, source, UsesIommufd(hostdev), planning);
  } else if (type == "usb") {
    PlanUsb(holder, source, planning);
  } else if (type == "mdev") {
    PlanMdev(holder, source, planning);
  } else if (type == "scsi") {
    PlanScsi(hostdev, holder, source, planning);
  } else if (type == "scsi_host") {
    planning->AddCharacterDevice("/dev/vhost-scsi", source + " scsi_host");
  } else {
    planning->WarnUnknownType(source, type);
  }
}

}  // namespace

void PlanPciDevice(const Element& source_element, const std::string& source, Planning* planning) {
  PlanPci(source_element, source, false, planning);
}

void PlanRom(const Element& device, const std::string& source, Planning* planning) {
  if (const Element* rom = device.First("rom")) {
    planning->Add({.path = std::string(rom->Attribute("file")),
                   .access = Access::kRead,
                   .source = source + " rom"});
  }
}

void PlanHostDevice(const Element& hostdev, std::size_t number, Planning* planning) {
  const std::string source = "hostdev " + std::to_string(number);
  const Element* holder = hostdev.First("source");
  if (hostdev.AttributeOr("mode", "subsystem") != "subsystem") {
    planning->Warn(source, "mode " + Quote(hostdev.Attribute("mode"), 64) +
                               " is for containers; it is not in this plan");
  } else if (holder == nullptr) {
    planning->Warn(source, "it has no source; nothing of it is in this plan");
  } else {
    PlanSubsystem(hostdev, *holder, source, planning);
  }
  PlanRom(hostdev, source, planning);
}

}  // namespace openhook::domain
