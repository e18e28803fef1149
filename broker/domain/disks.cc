// SPDX-License-Identifier: LGPL-2.1-or-later
//
// <disk>: the image, what the definition tells of its backing images, the target of a copy that
// runs, the overlay of a transient disk.

#include <algorithm>
#include <array>

#include "broker/base/limits.h"
#include "broker/domain/families.h"
#include "broker/domain/storage_source.h"

namespace openhook::domain {

namespace {

// Formats whose images can stand on others, or be made of several files.
bool LeadsElsewhere(std::string_view format) {
  constexpr std::array<std::string_view, 7> kFormats = {"qcow2", "qed", "qcow",     "vmdk",
                                                        "vhdx",  "vpc", "parallels"};
  return std::find(kFormats.begin(), kFormats.end(), format) != kFormats.end();
}

// `below` an image: an element without type is libvirt's mark that nothing follows; no element at
// all, that nobody has looked.
Below BelowOf(const Element& holder, std::string_view format) {
  const Element* backing = holder.First("backingStore");
  if (backing == nullptr) {
    return LeadsElsewhere(format) ? Below::kUnknown : Below::kNothing;
  }
  return backing->Attribute("type").empty() && !backing->Has("source") ? Below::kNothing
                                                                       : Below::kListed;
}

std::string FormatOf(const Element& holder) {
  const Element* format = holder.First("format");
  return format == nullptr ? "raw" : format->AttributeOr("type", "raw");
}

// The images below `holder`, read-only, whatever the disk is.
void PlanBackingImages(const Element& holder, const WantedFile& top, Planning* planning) {
  const Element* backing = holder.First("backingStore");
  WantedFile use{.access = Access::kRead, .source = top.source, .role = Role::kBacking};
  use.disk = top.disk;
  for (std::uint32_t depth = 1; backing != nullptr && depth <= limits::kMaxChainDepth; ++depth) {
    use.depth = depth;
    use.format = FormatOf(*backing);
    use.below = BelowOf(*backing, use.format);
    if (!backing->Attribute("type").empty() || backing->Has("source")) {
      PlanStorage(*backing, use, planning);
    }
    backing = backing->First("backingStore");
  }
}

// While a copy or an active commit runs. Before libvirt 1.2.6 the mirror had its file as attribute.
void PlanMirror(const Element& mirror, const WantedFile& disk, Planning* planning) {
  WantedFile use{.access = Access::kReadWrite, .source = disk.source + " mirror"};
  use.role = Role::kImage;
  use.format = mirror.Has("format") ? FormatOf(mirror) : mirror.AttributeOr("format", "raw");
  use.below = BelowOf(mirror, use.format);
  if (!mirror.Has("source")) {
    use.path = mirror.Attribute("file");
    planning->Add(std::move(use));
    return;
  }
  PlanStorage(mirror, use, planning);
  PlanBackingImages(mirror, use, planning);
}

// libvirt lays an overlay over the disk when the domain starts, and removes it when it ends.
void PlanTransientOverlay(const Element& disk, const Element& transient, const WantedFile& top,
                          Planning* planning) {
  const Element* source = disk.First("source");
  const std::string base(source == nullptr ? "" : source->Attribute("file"));
  if (base.empty()) {
    return;
  }
  const bool shares = transient.Attribute("shareBacking") == "yes";
  planning->Add({.path = base + ".TRANSIENT" + (shares ? "-" + planning->name() : ""),
                 .access = Access::kCreate,
                 .source = top.source + " transient",
                 .format = "qcow2",
                 .role = Role::kImage});
}

Access AccessOf(const Element& disk, std::string_view device) {
  const Element* transient = disk.First("transient");
  const bool shares = transient != nullptr && transient->Attribute("shareBacking") == "yes";
  return device == "cdrom" || disk.Has("readonly") || shares ? Access::kRead : Access::kReadWrite;
}

}  // namespace

void PlanDisk(const Element& disk, Planning* planning) {
  const Element* target = disk.First("target");
  const std::string name(target == nullptr ? "" : target->Attribute("dev"));
  const std::string device = disk.AttributeOr("device", "disk");
  WantedFile use{.access = AccessOf(disk, device), .source = "disk " + Shown(name)};
  use.role = Role::kImage;
  use.disk = name;
  const Element* driver = disk.First("driver");
  use.format = driver == nullptr ? "raw" : driver->AttributeOr("type", "raw");
  use.below = BelowOf(disk, use.format);
  use.shareable = disk.Has("shareable") && use.access == Access::kReadWrite;
  if (device != "disk" && device != "cdrom" && device != "floppy" && device != "lun") {
    planning->Warn(use.source, "device '" + Shown(device) + "' is not known; taken for a disk");
  }
  PlanStorage(disk, use, planning);
  PlanBackingImages(disk, use, planning);
  if (const Element* mirror = disk.First("mirror")) {
    PlanMirror(*mirror, use, planning);
  }
  if (const Element* transient = disk.First("transient")) {
    PlanTransientOverlay(disk, *transient, use, planning);
  }
}

}  // namespace openhook::domain
