// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a domain definition makes QEMU open, as far as the definition itself tells it. Nothing here
// was looked up: paths are as they are spelled, and what only a host can answer (the group of a PCI
// device, the images below an image) stands as a question.

#ifndef BROKER_DOMAIN_PLAN_H_
#define BROKER_DOMAIN_PLAN_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/domain/places.h"

namespace openhook::domain {

enum class Access : std::uint8_t {
  kRead,
  kReadWrite,
  kCreate,  // make, truncate and write; of a directory: make files in it
  kList,    // of a directory: its entries
};

enum class Kind : std::uint8_t { kFile, kBlock, kCharacter, kDirectory, kSocket, kFifo };

// Of a file that a disk consists of.
enum class Role : std::uint8_t { kNone, kImage, kBacking, kDataFile };

// What the definition says of the images below one.
enum class Below : std::uint8_t {
  kNothing,  // none, or they are not this file's business
  kListed,   // they are in the plan
  kUnknown,  // QEMU finds them in the image's header
};

enum class Presence : std::uint8_t {
  kExpected,
  kIfThere,  // QEMU tries it, and does without
};

struct WantedFile {
  std::string path;  // absolute, else as the definition spells it
  Access access = Access::kRead;
  Kind kind = Kind::kFile;
  std::string source;  // the element, e.g. "disk vda"
  std::uint32_t depth = 0;
  std::string format;  // of an image
  Role role = Role::kNone;
  Below below = Below::kNothing;
  Presence presence = Presence::kExpected;
  std::string disk;  // target name of the disk that it is a part of
  bool shareable = false;
};

// A device that the definition names by its place; the host knows the file.
enum class DeviceKind : std::uint8_t {
  kPciGroup,     // key 0000:01:00.0: the device's VFIO group
  kPciDevice,    // the same key: its VFIO device node (iommufd)
  kMdevGroup,    // key: the mediated device's UUID
  kUsbProduct,   // key 1d6b:0002
  kScsiGeneric,  // key host:bus:target:unit
  kMacvtap,      // key: name of the interface
  kRenderNode,   // no key: the host's first one
};

struct DeviceQuestion {
  DeviceKind kind = DeviceKind::kPciGroup;
  std::string key;
  Access access = Access::kReadWrite;
  std::string source;
};

struct NetworkTarget {
  std::string name;  // as a URI
  std::string source;
  std::uint32_t depth = 0;
};

// What cannot be a grant.
struct Refusal {
  enum class Because : std::uint8_t {
    kForbidden,   // whatever the host says
    kUnreadable,  // it, or what it stands on, could not be looked at
  };
  std::string path;
  std::string source;
  std::string reason;
  Because because = Because::kForbidden;
};

struct Plan {
  std::string uuid;  // empty: the definition has none yet
  std::string name;
  std::string short_name;  // ID-NAME, as libvirt calls a running machine's directories; else empty
  std::vector<WantedFile> files;
  std::vector<DeviceQuestion> devices;
  std::vector<NetworkTarget> network;
  std::vector<Refusal> refused;
  std::vector<std::string> warnings;
  Places places;
};

std::string_view ToString(Access access);  // "read", "read-write", "create", "list"
std::string_view ToString(Kind kind);      // "file", "block", "char", "directory", "socket", "fifo"
std::string_view ToString(Role role);      // "image", "backing", "data-file"; "" for none

}  // namespace openhook::domain

#endif  // BROKER_DOMAIN_PLAN_H_
