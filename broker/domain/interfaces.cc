// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Network interfaces. libvirt opens taps and the vhost devices itself and hands them to QEMU; they
// are planned all the same, for managers that let QEMU do it.

#include <algorithm>
#include <array>

#include "broker/domain/families.h"

namespace openhook::domain {

namespace {

const Element& OrNone(const Element* element) {
  return element == nullptr ? kEmptyElement : *element;
}

bool IsOneOf(std::string_view type, const auto& types) {
  return std::find(types.begin(), types.end(), type) != types.end();
}

// Interfaces that are a tap on this host.
constexpr std::array<std::string_view, 3> kTaps = {"network", "bridge", "ethernet"};
// Interfaces that open nothing.
constexpr std::array<std::string_view, 8> kPlain = {"user", "server", "client",   "mcast",
                                                    "udp",  "null",   "internal", "vds"};

// Only KVM has the in-kernel back end, and driver name='qemu' turns it off.
bool UsesVhost(const Element& interface, const Planning& planning) {
  const std::string_view model = OrNone(interface.First("model")).Attribute("type");
  const std::string_view driver = OrNone(interface.First("driver")).Attribute("name");
  return model.starts_with("virtio") && driver != "qemu" && (planning.IsKvm() || driver == "vhost");
}

void PlanTap(const Element& interface, std::string_view type, const std::string& source,
             Planning* planning) {
  const Element& backend = OrNone(interface.First("backend"));
  if (type == "direct") {
    const std::string device(OrNone(interface.First("target")).Attribute("dev"));
    if (device.empty()) {
      planning->Warn(source,
                     "the macvtap device is made when the machine starts: plan the "
                     "definition of the running machine");
    } else {
      planning->AddDevice({.kind = DeviceKind::kMacvtap, .key = device, .source = source});
    }
  } else {
    planning->AddCharacterDevice(backend.AttributeOr("tap", "/dev/net/tun"), source);
  }
  if (UsesVhost(interface, *planning)) {
    planning->AddCharacterDevice(backend.AttributeOr("vhost", "/dev/vhost-net"), source + " vhost");
  }
}

void PlanVhostUser(const Element& interface, const std::string& source, Planning* planning) {
  const Element& socket = OrNone(interface.First("source"));
  planning->Add(
      {.path = std::string(socket.Attribute("path")),
       .access = socket.Attribute("mode") == "server" ? Access::kCreate : Access::kReadWrite,
       .kind = Kind::kSocket,
       .source = source});
}

std::string InterfaceSource(const Element& interface, std::size_t number) {
  const std::string_view mac = OrNone(interface.First("mac")).Attribute("address");
  return "interface " + (mac.empty() ? std::to_string(number) : Shown(mac));
}

}  // namespace

void PlanInterface(const Element& interface, std::size_t number, Planning* planning) {
  const std::string source = InterfaceSource(interface, number);
  const std::string_view type = interface.Attribute("type");
  if (IsOneOf(type, kTaps) || type == "direct") {
    PlanTap(interface, type, source, planning);
  } else if (type == "vhostuser") {
    PlanVhostUser(interface, source, planning);
  } else if (type == "vdpa") {
    planning->AddCharacterDevice(OrNone(interface.First("source")).Attribute("dev"), source);
  } else if (type == "hostdev") {
    PlanPciDevice(OrNone(interface.First("source")), source, planning);
  } else if (!IsOneOf(type, kPlain)) {
    planning->WarnUnknownType(source, type);
  }
  PlanRom(interface, source, planning);
}

void PlanVsock(const Element& /*vsock*/, Planning* planning) {
  planning->AddCharacterDevice("/dev/vhost-vsock", "vsock");
}

}  // namespace openhook::domain
