// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The backing chain of one disk as it was last explained: by the administrator who granted it, or
// by the jobs that changed it since. An image header that says something else is a request, and
// drift (drift.h) decides about it. Pure data.

#ifndef BROKER_WHITELIST_CHAIN_RECORD_H_
#define BROKER_WHITELIST_CHAIN_RECORD_H_

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/base/canonical_path.h"
#include "broker/base/result.h"

namespace openhook::whitelist {

// One image of a chain, with the files that belong to it alone (an external data file, extents).
struct ChainImage {
  CanonicalPath path;
  std::string format;
  std::vector<CanonicalPath> parts;

  bool operator==(const ChainImage&) const = default;
};

struct ChainRecord {
  std::string disk;                // its name in this VM: "vda", or the path of its first image
  std::string lease;               // that owns the disk's grants
  bool writable = false;           // the VM may write to the active image: not so for a CD-ROM
  std::vector<ChainImage> images;  // the active image first; none: an empty drive

  bool operator==(const ChainRecord&) const = default;
  // Position of the image with this path (the images' own paths; not their parts).
  [[nodiscard]] std::optional<std::size_t> Find(const CanonicalPath& path) const;
  // The images and their parts.
  [[nodiscard]] std::set<CanonicalPath> Files() const { return FilesOf(images); }
  static std::set<CanonicalPath> FilesOf(const std::vector<ChainImage>& images);
};

// Names of disks come from outside. Errors: kInvalidArgument with the rule.
Result<void> CheckDiskName(const std::string& disk);

}  // namespace openhook::whitelist

#endif  // BROKER_WHITELIST_CHAIN_RECORD_H_
