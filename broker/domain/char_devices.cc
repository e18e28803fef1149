// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Character devices: serial lines, consoles, channels, and every other device that stands on one.

#include <algorithm>
#include <array>

#include "broker/domain/families.h"

namespace openhook::domain {

namespace {

// Back ends that open nothing by name.
bool OpensNothing(std::string_view type) {
  constexpr std::array<std::string_view, 10> kTypes = {
      "null", "vc", "stdio", "tcp", "udp", "spicevmc", "spiceport", "nmdm", "dbus", "qemu-vdagent"};
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

void AddFile(std::string path, Access access, Kind kind, const std::string& source,
             Planning* planning) {
  planning->Add({.path = std::move(path), .access = access, .kind = kind, .source = source});
}

// QEMU opens PATH.in and PATH.out, and PATH itself when one of these is missing.
void PlanPipe(std::string_view path, const std::string& source, Planning* planning) {
  if (path.empty()) {
    return;
  }
  for (const char* suffix : {".in", ".out", ""}) {
    planning->Add({.path = std::string(path) + suffix,
                   .access = Access::kReadWrite,
                   .kind = Kind::kFifo,
                   .source = source,
                   .presence = *suffix == '\0' ? Presence::kIfThere : Presence::kExpected});
  }
}

// A server makes its socket. Under libvirt it inherits one that listens already.
void PlanSocket(const Element& backend, const std::string& source, Planning* planning) {
  const bool connects = backend.Attribute("mode") == "connect";
  AddFile(std::string(backend.Attribute("path")), connects ? Access::kReadWrite : Access::kCreate,
          Kind::kSocket, source, planning);
}

void PlanLog(const Element& device, const std::string& source, Planning* planning) {
  if (const Element* log = device.First("log")) {
    AddFile(std::string(log->Attribute("file")), Access::kCreate, Kind::kFile, source + " log",
            planning);
  }
}

std::string SourceOf(const Element& device, std::size_t number) {
  std::string source = device.name + " ";
  const Element* target = device.First("target");
  if (device.name == "channel" && target != nullptr && !target->Attribute("name").empty()) {
    return source + Shown(target->Attribute("name"));
  }
  if (device.name != "channel" && target != nullptr && !target->Attribute("port").empty()) {
    return source + Shown(target->Attribute("port"));
  }
  return source + std::to_string(number);
}

}  // namespace

void PlanCharBackend(const Element& device, std::string_view type, const std::string& source,
                     Planning* planning) {
  const Element* found = device.First("source");
  const Element& backend = found == nullptr ? kEmptyElement : *found;
  const std::string path(backend.Attribute("path"));
  if (type == "file") {
    AddFile(path, Access::kCreate, Kind::kFile, source, planning);
  } else if (type == "dev") {
    AddFile(path, Access::kReadWrite, Kind::kCharacter, source, planning);
  } else if (type == "pipe") {
    PlanPipe(path, source, planning);
  } else if (type == "unix") {
    PlanSocket(backend, source, planning);
  } else if (type == "pty") {
    // The path of a live definition is the terminal that QEMU was given, and belongs to another
    // program when the machine has ended: never granted.
    AddFile("/dev/ptmx", Access::kReadWrite, Kind::kCharacter, source, planning);
  } else if (!OpensNothing(type)) {
    planning->WarnUnknownType(source, type);
  }
  PlanLog(device, source, planning);
}

void PlanCharDevice(const Element& device, std::size_t number, Planning* planning) {
  PlanCharBackend(device, device.AttributeOr("type", "null"), SourceOf(device, number), planning);
}

}  // namespace openhook::domain
