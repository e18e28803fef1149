// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/host_devices.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "broker/base/text.h"
#include "broker/fs/directory.h"
#include "broker/fs/program_file.h"
#include "broker/fs/text_file.h"

namespace openhook::ctl {

namespace {

using domain::DeviceKind;
using Files = std::vector<std::string>;

constexpr std::size_t kFactBytes = 4096;

// A key becomes a name below /sys: only what such names are made of.
bool IsName(const std::string& key) {
  return !key.empty() && key.front() != '.' &&
         std::all_of(key.begin(), key.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == ':' || c == '.' || c == '-' || c == '_';
         });
}

bool IsNumber(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](unsigned char c) { return std::isdigit(c) != 0; });
}

// The content of a file below /sys, without its line feed; empty when there is none.
std::string Fact(const std::string& path) {
  auto text = fs::ReadTextFile(path, kFactBytes);
  if (!text) {
    return {};
  }
  text->erase(text->find_last_not_of(" \n") + 1);
  return *text;
}

tl::unexpected<Error> Unknown(const std::string& what) {
  return Fail(ErrorCode::kNotFound, what + " is not known on this host; it is not in this plan");
}

Result<Files> GroupOf(const std::string& device, const std::string& what) {
  const auto group = fs::LinkName(device + "/iommu_group");
  if (!group || !IsNumber(*group)) {
    return Unknown("the VFIO group of " + what);
  }
  return Files{"/dev/vfio/" + *group};
}

Result<Files> VfioNodeOf(const std::string& device, const std::string& what) {
  const auto nodes = fs::ListDirectory(device + "/vfio-dev");
  if (!nodes || nodes->size() != 1 || !IsName(nodes->front())) {
    return Unknown("the VFIO device of " + what);
  }
  return Files{"/dev/vfio/devices/" + nodes->front()};
}

// Every device of that product, as libvirt takes it: it refuses when there are several.
Result<Files> UsbNodes(const std::string& key, const std::string& root) {
  const std::string directory = root + "/sys/bus/usb/devices/";
  const auto devices = fs::ListDirectory(directory);
  Files files;
  for (const std::string& name : devices.value_or(Files())) {
    const std::string device = directory + name;
    const std::string product = Fact(device + "/idVendor") + ":" + Fact(device + "/idProduct");
    const std::string bus = Fact(device + "/busnum");
    const std::string number = Fact(device + "/devnum");
    if (product == key && IsNumber(bus) && IsNumber(number)) {
      files.push_back(fmt::format("/dev/bus/usb/{:0>3}/{:0>3}", bus, number));
    }
  }
  if (files.size() > 1) {
    return Fail(
        ErrorCode::kConflict,
        fmt::format("{} USB devices are {}: name one by its bus and device", files.size(), key));
  }
  return files.empty() ? Result<Files>(Unknown("the USB device " + key)) : files;
}

Result<Files> ScsiNode(const std::string& key, const std::string& root) {
  const auto nodes = fs::ListDirectory(root + "/sys/bus/scsi/devices/" + key + "/scsi_generic");
  if (!nodes || nodes->size() != 1 || !IsName(nodes->front())) {
    return Unknown("the SCSI device " + key);
  }
  return Files{"/dev/" + nodes->front()};
}

Result<Files> MacvtapNode(const std::string& key, const std::string& root) {
  const std::string index = Fact(root + "/sys/class/net/" + key + "/ifindex");
  if (!IsNumber(index)) {
    return Unknown("the macvtap device " + Quote(key));
  }
  return Files{"/dev/tap" + index};
}

// As libvirt does it when the definition names none.
Result<Files> FirstRenderNode(const std::string& root) {
  const auto nodes = fs::ListDirectory(root + "/dev/dri");
  for (const std::string& name : nodes.value_or(Files())) {
    if (name.starts_with("renderD") && IsName(name)) {
      return Files{"/dev/dri/" + name};
    }
  }
  return Unknown("a render node");
}

}  // namespace

Result<std::vector<std::string>> FindDevice(const domain::DeviceQuestion& question,
                                            const std::string& root) {
  if (question.kind == DeviceKind::kRenderNode) {
    return FirstRenderNode(root);
  }
  if (!IsName(question.key)) {
    return Unknown("a device that is called " + Quote(question.key, 64));
  }
  const std::string pci = root + "/sys/bus/pci/devices/" + question.key;
  const std::string mdev = root + "/sys/bus/mdev/devices/" + question.key;
  switch (question.kind) {
    case DeviceKind::kPciGroup:
      return GroupOf(pci, "the PCI device " + question.key);
    case DeviceKind::kPciDevice:
      return VfioNodeOf(pci, "the PCI device " + question.key);
    case DeviceKind::kMdevGroup:
      return GroupOf(mdev, "the mediated device " + question.key);
    case DeviceKind::kUsbProduct:
      return UsbNodes(question.key, root);
    case DeviceKind::kScsiGeneric:
      return ScsiNode(question.key, root);
    case DeviceKind::kMacvtap:
      return MacvtapNode(question.key, root);
    case DeviceKind::kRenderNode:
      break;
  }
  return Unknown("a device");
}

}  // namespace openhook::ctl
