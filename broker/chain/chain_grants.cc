// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/chain/chain_grants.h"

#include <fmt/format.h>

#include "broker/base/text.h"

namespace openhook::chain {

namespace {

Result<proto::GrantSpec> SpecOfMember(const image::ChainMember& member, const PathOpener& opener,
                                      const ChainGrantOptions& options) {
  const FileIdentity* identity = opener.Find(member.path);
  if (identity == nullptr) {
    return Fail(ErrorCode::kConflict, fmt::format("{} changed while the chain was read; try again",
                                                  Quote(member.path.str())));
  }
  proto::GrantSpec spec;
  spec.set_path(member.path.str());
  // A relative spelling means a file below QEMU's working directory, which is not known here.
  if (member.name != member.path.str() && member.name.starts_with('/')) {
    spec.add_aliases(member.name);
  }
  spec.set_access(member.depth == 0 ? options.top : proto::GRANT_ACCESS_READ);
  spec.set_source(options.source);
  spec.set_shareable(options.shareable && member.depth == 0);
  spec.set_format(std::string(image::ToString(member.format)));
  spec.set_role(std::string(image::ToString(member.role)));
  spec.set_depth(static_cast<std::uint32_t>(member.depth));
  spec.set_expected_dev(identity->dev);
  spec.set_expected_ino(identity->ino);
  return spec;
}

}  // namespace

Result<void> CheckMayBeGranted(const image::Chain& chain) {
  if (chain.image_format == image::FormatSource::kDeclared || chain.members.size() <= 1) {
    return {};
  }
  const image::ChainMember& top = chain.members.front();
  return Fail(ErrorCode::kUnsupported,
              fmt::format("only the first bytes of {0} say that it is {1} with other files behind "
                          "it, and a VM that has it as a raw disk could have written those bytes "
                          "itself; if it is {1}, say so: --format {1}",
                          Quote(top.name), image::ToString(top.format)));
}

Result<proto::GrantRequest> GrantsOfChain(const image::Chain& chain, const PathOpener& opener,
                                          const ChainGrantOptions& options) {
  proto::GrantRequest request;
  for (const image::ChainMember& member : chain.members) {
    Result<proto::GrantSpec> spec = SpecOfMember(member, opener, options);
    if (!spec) {
      return tl::make_unexpected(std::move(spec).error());
    }
    *request.add_grants() = std::move(*spec);
  }
  return request;
}

}  // namespace openhook::chain
