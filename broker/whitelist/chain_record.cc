// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/whitelist/chain_record.h"

#include <algorithm>
#include <climits>

#include "broker/base/text.h"

namespace openhook::whitelist {

std::optional<std::size_t> ChainRecord::Find(const CanonicalPath& path) const {
  const auto found = std::find_if(images.begin(), images.end(),
                                  [&](const ChainImage& image) { return image.path == path; });
  return found == images.end() ? std::nullopt : std::optional<std::size_t>(found - images.begin());
}

std::set<CanonicalPath> ChainRecord::FilesOf(const std::vector<ChainImage>& images) {
  std::set<CanonicalPath> files;
  for (const ChainImage& image : images) {
    files.insert(image.path);
    files.insert(image.parts.begin(), image.parts.end());
  }
  return files;
}

Result<void> CheckDiskName(const std::string& disk) {
  if (disk.empty() || disk.size() >= PATH_MAX || disk.find('\0') != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument,
                "the disk name " + Quote(disk, 128) + " must have 1 to 4095 bytes, like vda");
  }
  return {};
}

}  // namespace openhook::whitelist
