// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What an image's own header says, as far as it leads to other files. All of it is a request of
// whoever can write the image, never authority: a compromised QEMU can rewrite its header.

#ifndef BROKER_IMAGE_IMAGE_HEADER_H_
#define BROKER_IMAGE_IMAGE_HEADER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"

namespace openhook::image {

enum class Format : std::uint8_t {
  kRaw,
  kQcow2,
  kQed,
  kQcow,  // version 1
  kVmdk,
  kVhdx,
  kVpc,  // VHD
  kVdi,
  kParallels,
  kLuks,
  kBochs,
  kCloop,
  kDmg,
};

std::string_view ToString(Format format);

// Their names, "raw, qcow2, ...", for messages and help.
std::string FormatNames();

// The format of that name, as a header, a json: name or an administrator writes it. QEMU's protocol
// drivers "file", "host_device" and "host_cdrom" stand for the bare bytes, which is raw.
// Errors: kUnsupported for every other name.
Result<Format> ParseFormat(std::string_view name);

// The backing file as the header spells it (backing_name.h says what it means).
struct BackingReference {
  std::string name;                   // never empty, no NUL byte
  std::optional<std::string> format;  // as declared; absent: the header does not say
};

// A file that holds a part of the guest's disk. Its format says what has to be looked at in it: raw
// is bare bytes, vmdk a sparse extent with a header of its own.
struct ExtentReference {
  std::string name;  // never empty, no NUL byte
  Format format = Format::kRaw;
};

// Whether the guest's data in the data file can be used without the qcow2 file.
enum class DataFileLayout : std::uint8_t { kManaged, kRaw };

struct DataFileReference {
  std::string name;  // never empty, no NUL byte
  DataFileLayout layout = DataFileLayout::kManaged;
};

struct Header {
  Format format = Format::kRaw;
  std::optional<std::uint64_t> virtual_size;  // absent where the header does not say it itself
  std::optional<BackingReference> backing;
  std::optional<DataFileReference> data_file;
  std::vector<ExtentReference> extents;  // in the order of the disk
};

}  // namespace openhook::image

#endif  // BROKER_IMAGE_IMAGE_HEADER_H_
