// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How the chain walk reaches the files that images name, without doing path work itself. The real
// one opens them by the rules of broker/fs; tests keep their members in memory.

#ifndef BROKER_IMAGE_MEMBER_OPENER_H_
#define BROKER_IMAGE_MEMBER_OPENER_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "broker/base/canonical_path.h"
#include "broker/base/result.h"
#include "broker/image/byte_source.h"

namespace openhook::image {

enum class MemberKind : std::uint8_t { kRegularFile, kBlockDevice, kOther };

// Tells files apart that have several names. For a regular file: device and inode. For a block
// device: the device number that it stands for, and 0, so that two nodes of one disk are equal.
struct MemberIdentity {
  MemberKind kind = MemberKind::kOther;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;

  bool operator==(const MemberIdentity&) const = default;
};

struct OpenedMember {
  CanonicalPath path;  // symlinks resolved
  MemberIdentity identity;
  std::unique_ptr<ByteSource> bytes;  // may be null when the kind is kOther
};

class MemberOpener {
 public:
  virtual ~MemberOpener() = default;
  // Opens `spelling` for reading, relative to the working directory when it does not begin with
  // '/'. Must not block on a FIFO or a device: what is neither a regular file nor a block device is
  // reported as kOther, unopened. Errors: kNotFound when there is no such file; others as they
  // come.
  virtual Result<OpenedMember> Open(std::string_view spelling) = 0;
};

}  // namespace openhook::image

#endif  // BROKER_IMAGE_MEMBER_OPENER_H_
