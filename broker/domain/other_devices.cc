// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Shared directories, random numbers, TPMs, smart cards.

#include "broker/domain/families.h"

namespace openhook::domain {

namespace {

void PlanVirtiofs(const Element& filesystem, const Element& holder, const std::string& source,
                  Planning* planning) {
  const std::string socket(holder.Attribute("socket"));
  if (!socket.empty()) {
    planning->Add(
        {.path = socket, .access = Access::kReadWrite, .kind = Kind::kSocket, .source = source});
    return;
  }
  // virtiofsd serves it; QEMU only talks to virtiofsd.
  planning->Add({.path = std::string(holder.Attribute("dir")),
                 .access = filesystem.Has("readonly") ? Access::kList : Access::kCreate,
                 .kind = Kind::kDirectory,
                 .source = source + " (virtiofsd)"});
}

void PlanMount(const Element& filesystem, const std::string& source, Planning* planning) {
  const Element* found = filesystem.First("source");
  const Element& holder = found == nullptr ? kEmptyElement : *found;
  const Element* driver = filesystem.First("driver");
  const std::string type = driver == nullptr ? "path" : driver->AttributeOr("type", "path");
  if (type == "virtiofs") {
    PlanVirtiofs(filesystem, holder, source, planning);
  } else if (type == "mtp") {
    planning->Add({.path = std::string(holder.Attribute("dir")),
                   .access = Access::kList,
                   .kind = Kind::kDirectory,
                   .source = source});
  } else if (type == "path" || type == "handle") {
    planning->Add({.path = std::string(holder.Attribute("dir")),
                   .access = filesystem.Has("readonly") ? Access::kList : Access::kCreate,
                   .kind = Kind::kDirectory,
                   .source = source});
  } else {
    planning->WarnUnknownType(source, type);
  }
}

void PlanTpmEmulator(const std::string& source, Planning* planning) {
  if (planning->short_name().empty()) {
    planning->Warn(source,
                   "the emulator's socket is made when the machine starts: plan the "
                   "definition of the running machine");
    return;
  }
  planning->Add({.path = "/run/libvirt/qemu/swtpm/" + planning->short_name() + "-swtpm.sock",
                 .access = Access::kReadWrite,
                 .kind = Kind::kSocket,
                 .source = source});
}

}  // namespace

void PlanFilesystem(const Element& filesystem, Planning* planning) {
  const Element* target = filesystem.First("target");
  const std::string source =
      "filesystem " + Shown(target == nullptr ? "" : target->Attribute("dir"));
  const std::string type = filesystem.AttributeOr("type", "mount");
  if (type == "mount") {
    PlanMount(filesystem, source, planning);
  } else if (type != "ram") {
    planning->WarnUnknownType(source, type);
  }
}

void PlanRng(const Element& rng, std::size_t number, Planning* planning) {
  const std::string source = "rng " + std::to_string(number);
  const Element* backend = rng.First("backend");
  if (backend == nullptr) {
    return;
  }
  const std::string_view model = backend->Attribute("model");
  if (model == "random") {
    const std::string_view device = backend->Text();
    planning->Add({.path = std::string(device.empty() ? "/dev/urandom" : device),
                   .access = Access::kRead,
                   .kind = Kind::kCharacter,
                   .source = source});
  } else if (model == "egd") {
    PlanCharBackend(*backend, backend->Attribute("type"), source, planning);
  } else if (model != "builtin") {
    planning->WarnUnknownType(source, model);
  }
}

void PlanTpm(const Element& tpm, Planning* planning) {
  const Element* backend = tpm.First("backend");
  if (backend == nullptr) {
    return;
  }
  const std::string_view type = backend->Attribute("type");
  const std::string source = "tpm " + Shown(type);
  if (type == "passthrough") {
    const Element* device = backend->First("device");
    planning->AddCharacterDevice(
        (device == nullptr ? kEmptyElement : *device).AttributeOr("path", "/dev/tpm0"), source);
  } else if (type == "emulator") {
    PlanTpmEmulator(source, planning);
  } else if (type == "external") {
    const Element* holder = backend->First("source");
    PlanCharBackend(*backend,
                    (holder == nullptr ? kEmptyElement : *holder).AttributeOr("type", "unix"),
                    source, planning);
  } else {
    planning->WarnUnknownType(source, type);
  }
}

// The host's cards are reached through NSS, whose database is a directory of files.
void PlanSmartcard(const Element& smartcard, std::size_t number, Planning* planning) {
  const std::string source = "smartcard " + std::to_string(number);
  const std::string_view mode = smartcard.Attribute("mode");
  if (mode == "passthrough") {
    PlanCharBackend(smartcard, smartcard.Attribute("type"), source, planning);
  } else if (mode == "host" || mode == "host-certificates") {
    const std::string_view database = smartcard.TextOf("database");
    planning->Add({.path = std::string(database.empty() ? "/etc/pki/nssdb" : database),
                   .access = Access::kList,
                   .kind = Kind::kDirectory,
                   .source = source});
  } else {
    planning->WarnUnknownType(source, mode);
  }
}

}  // namespace openhook::domain
