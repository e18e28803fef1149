// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which files one image consists of: itself, its backing files down to the last, and the external
// data file and the extents of each. The walk follows the headers the way QEMU does, and refuses
// what QEMU would have to guess or could never open. It yields a whole chain or an error, never a
// part of one.

#ifndef BROKER_IMAGE_CHAIN_H_
#define BROKER_IMAGE_CHAIN_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/canonical_path.h"
#include "broker/base/result.h"
#include "broker/image/image_header.h"
#include "broker/image/member_opener.h"

namespace openhook::image {

enum class MemberRole : std::uint8_t { kImage, kBacking, kDataFile, kExtent };
enum class MemberAccess : std::uint8_t { kRead, kReadWrite };
enum class FormatSource : std::uint8_t { kDeclared, kProbed };

std::string_view ToString(MemberRole role);      // "image", "backing", "data-file", "extent"
std::string_view ToString(MemberAccess access);  // "read", "read-write"

struct ChainMember {
  std::string name;  // as QEMU spells it when it opens it: the alias to grant
  CanonicalPath path;
  MemberIdentity identity;
  Format format = Format::kRaw;
  MemberRole role = MemberRole::kImage;
  std::size_t depth = 0;  // 0 for the image; data files and extents have that of their owner
  MemberAccess access = MemberAccess::kRead;  // read-write at depth 0
};

struct NetworkMember {
  std::string name;  // as the header spells it
  std::size_t depth = 0;
};

struct Chain {
  std::vector<ChainMember> members;  // by depth; data files and extents behind their owner
  std::vector<NetworkMember> network;
  std::vector<std::string> warnings;  // sentences for people
  // kProbed: nobody but the image itself says what it is. Whoever writes a raw disk can write that
  // too, so such a chain is fit to be shown, and needs a person's word before it is granted.
  FormatSource image_format = FormatSource::kDeclared;
};

enum class Reach : std::uint8_t {
  kWholeChain,
  kImageAlone,  // with its data file and extents; what is below is the caller's business
};

// `image` is spelled as QEMU will spell it. Without `declared` its format is probed, with a
// warning. At most limits::kMaxChainDepth images, with limits::kMaxChainExtents extents in all.
// Errors, each with its own words: kNotFound (a member is missing), kConflict (a loop, or a file
// that stands in two places), kInvalidArgument (undeclared backing format, not a disk), kLimit (too
// deep), kCorrupt (a malformed header), kUnsupported, and those of the opener.
Result<Chain> WalkChain(MemberOpener& opener, std::string_view image,
                        std::optional<Format> declared, Reach reach = Reach::kWholeChain);

}  // namespace openhook::image

#endif  // BROKER_IMAGE_CHAIN_H_
