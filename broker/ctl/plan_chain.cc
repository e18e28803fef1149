// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/plan_chain.h"

#include "broker/base/text.h"
#include "broker/chain/read_chain.h"

namespace openhook::ctl {

namespace {

using domain::Access;
using domain::Kind;

Kind KindOf(image::MemberKind kind) {
  return kind == image::MemberKind::kBlockDevice ? Kind::kBlock : Kind::kFile;
}

// `file` says whose it is.
PlannedGrant GrantOf(const domain::WantedFile& file, const chain::PathOpener& opener,
                     const image::ChainMember& member) {
  PlannedGrant grant{.path = member.path.str(), .requested = member.name};
  grant.access = member.depth == 0 ? file.access : Access::kRead;
  grant.kind = KindOf(member.identity.kind);
  grant.source = file.source;
  grant.depth = file.depth + static_cast<std::uint32_t>(member.depth);
  grant.format = image::ToString(member.format);
  grant.role = image::ToString(member.role);
  grant.disk = file.disk;
  grant.shareable = file.shareable && member.depth == 0;
  grant.exists = true;
  if (const FileIdentity* identity = opener.Find(member.path)) {
    grant.identity = *identity;
  }
  return grant;
}

Result<BelowImage> BelowOf(const domain::WantedFile& file, const chain::ReadChain& read,
                           DataFile data_file) {
  BelowImage below;
  for (const image::ChainMember& member : read.chain.members) {
    const bool itself = member.depth == 0 && member.role == image::MemberRole::kImage;
    const bool named = member.depth == 0 && member.role == image::MemberRole::kDataFile &&
                       data_file == DataFile::kNamed;
    if (itself || named) {
      continue;
    }
    // It was looked for in our working directory, and QEMU's is another one.
    if (!member.name.starts_with('/')) {
      return Fail(ErrorCode::kInvalidArgument,
                  "the header names " + Quote(member.name) +
                      ", which QEMU looks for in its working directory; store an absolute path");
    }
    below.grants.push_back(GrantOf(file, read.opener, member));
  }
  for (const image::NetworkMember& member : read.chain.network) {
    below.network.push_back(
        {member.name, file.source, file.depth + static_cast<std::uint32_t>(member.depth)});
  }
  for (const std::string& warning : read.chain.warnings) {
    below.warnings.push_back(file.source + ": " + warning);
  }
  return below;
}

}  // namespace

Result<BelowImage> ReadBelow(const domain::WantedFile& file, DataFile data_file) {
  if (!image::ParseFormat(file.format)) {
    BelowImage none;
    none.warnings.push_back(file.source + ": images of the format " + Quote(file.format, 64) +
                            " are not read; what they name is not in this plan");
    return none;
  }
  const auto reach =
      file.below == domain::Below::kUnknown ? image::Reach::kWholeChain : image::Reach::kImageAlone;
  return chain::ReadChainOf(file.path, file.format, reach)
      .and_then([&](const chain::ReadChain& read) { return BelowOf(file, read, data_file); });
}

}  // namespace openhook::ctl
