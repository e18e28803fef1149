// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/domain/storage_source.h"

#include "broker/base/text.h"
#include "broker/domain/families.h"

namespace openhook::domain {

namespace {

// QEMU connects to it itself; no image lies behind it.
void AddSocket(std::string_view path, const WantedFile& use, Planning* planning) {
  planning->Add({.path = std::string(path),
                 .access = Access::kReadWrite,
                 .kind = Kind::kSocket,
                 .source = use.source,
                 .depth = use.depth});
}

std::string HostOf(const Element& host) {
  std::string text = host.AttributeOr("name", "localhost");
  if (text.find(':') != std::string::npos) {
    text = "[" + text + "]";  // an IPv6 address
  }
  const std::string_view port = host.Attribute("port");
  return port.empty() ? text : text + ":" + std::string(port);
}

void PlanNetworkSource(const Element& source, const WantedFile& use, Planning* planning) {
  std::string scheme = source.AttributeOr("protocol", "unknown");
  std::string hosts;
  std::string query;
  for (const Element* host : source.All("host")) {
    if (host->Attribute("transport") == "unix") {
      AddSocket(host->Attribute("socket"), use, planning);
      scheme += "+unix";
      query = "?socket=" + std::string(host->Attribute("socket"));
      continue;
    }
    hosts += (hosts.empty() ? "" : ",") + HostOf(*host);
  }
  planning->AddNetwork(
      {scheme + "://" + hosts + "/" + std::string(source.Attribute("name")) + query, use.source,
       use.depth});
  if (const Element* config = source.First("config")) {
    planning->Add({.path = std::string(config->Attribute("file")),
                   .access = Access::kRead,
                   .source = use.source + " config",
                   .depth = use.depth});
  }
  if (source.Attribute("tls") == "yes") {
    planning->Warn(use.source,
                   "TLS reads certificates from a directory of libvirt's qemu.conf, "
                   "which the definition does not name");
  }
}

void PlanVolume(const Element& source, const WantedFile& use, Planning* planning) {
  const std::string pool = Quote(source.Attribute("pool"), 64);
  const std::string volume = Quote(source.Attribute("volume"), 64);
  planning->Warn(use.source, "volume " + volume + " of the storage pool " + pool +
                                 " is not resolved, and not in this plan: only libvirt knows its "
                                 "path (virsh vol-path --pool POOL VOLUME)");
}

void PlanImage(std::string_view path, Kind kind, WantedFile use, Planning* planning) {
  use.path = path;
  use.kind = kind;
  planning->Add(std::move(use));
}

// An external data file that the definition names: used like the image that it belongs to.
void PlanDataStore(const Element& source, const WantedFile& use, Planning* planning) {
  if (const Element* store = source.First("dataStore")) {
    WantedFile data = use;
    data.role = Role::kDataFile;
    data.below = Below::kNothing;
    data.format = "raw";
    PlanStorage(*store, data, planning);
  }
}

void PlanReservations(const Element& source, const WantedFile& use, Planning* planning) {
  if (const Element* helper = source.First("reservations", "source")) {
    WantedFile socket = use;
    socket.source += " reservations";
    AddSocket(helper->Attribute("path"), socket, planning);
  }
}

// Without a <dataStore> the header of the image says whether there is a data file.
void PlanLocal(const Element& source, std::string_view path, Kind kind, const WantedFile& use,
               Planning* planning) {
  if (!source.Attribute("fdgroup").empty()) {
    planning->Warn(use.source, "descriptors of the group " +
                                   Quote(source.Attribute("fdgroup"), 64) +
                                   " are handed to QEMU, which does not open " + Quote(path));
    return;
  }
  PlanImage(path, kind, use, planning);
  PlanDataStore(source, use, planning);
  PlanReservations(source, use, planning);
}

}  // namespace

void PlanStorage(const Element& holder, const WantedFile& use, Planning* planning) {
  const std::string type = holder.AttributeOr("type", "file");
  const Element* found = holder.First("source");
  const Element& source = found == nullptr ? kEmptyElement : *found;
  if (type == "file") {
    PlanLocal(source, source.Attribute("file"), Kind::kFile, use, planning);
  } else if (type == "block") {
    PlanLocal(source, source.Attribute("dev"), Kind::kBlock, use, planning);
  } else if (type == "dir") {
    // A FAT file system made of the directory's files, for reading only.
    planning->Add({.path = std::string(source.Attribute("dir")),
                   .access = Access::kList,
                   .kind = Kind::kDirectory,
                   .source = use.source,
                   .depth = use.depth,
                   .format = "fat"});
  } else if (type == "network") {
    PlanNetworkSource(source, use, planning);
  } else if (type == "volume") {
    PlanVolume(source, use, planning);
  } else if (type == "vhostuser") {
    AddSocket(source.Attribute("path"), use, planning);
  } else if (type == "nvme") {
    PlanPciDevice(source, use.source, planning);
  } else if (type == "vhostvdpa") {
    planning->AddCharacterDevice(source.Attribute("dev"), use.source);
  } else {
    planning->WarnUnknownType(use.source, type);
  }
}

}  // namespace openhook::domain
