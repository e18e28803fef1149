// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tests/fuzz/memory_members.h"

#include <algorithm>
#include <memory>

#include "broker/base/text.h"

namespace openhook::image {

Result<std::size_t> MemorySource::ReadAt(std::uint64_t offset, std::span<char> buffer) const {
  ++reads_;
  if (offset >= bytes_.size()) {
    return std::size_t{0};
  }
  return bytes_.copy(buffer.data(), buffer.size(), static_cast<std::size_t>(offset));
}

void MemoryMembers::Add(const std::string& path, std::string bytes) {
  nodes_[path] = Node{{MemberKind::kRegularFile, 1, next_inode_++}, std::move(bytes)};
}

void MemoryMembers::Link(const std::string& existing, const std::string& path) {
  nodes_[path] = nodes_.at(existing);
}

void MemoryMembers::AddOther(const std::string& path) {
  nodes_[path] = Node{{MemberKind::kOther, 1, next_inode_++}, ""};
}

Result<OpenedMember> MemoryMembers::Open(std::string_view spelling) {
  const auto clean = LexicalClean(spelling, "/vm");
  if (!clean) {
    return tl::make_unexpected(clean.error());
  }
  const auto path = CanonicalPath::Parse(FoldDotDot(*clean, [](auto) { return true; }));
  if (!path) {
    return tl::make_unexpected(path.error());
  }
  const auto node = nodes_.find(path->str());
  if (node == nodes_.end()) {
    return Fail(ErrorCode::kNotFound, "no such member: " + Quote(spelling));
  }
  return OpenedMember{*path, node->second.identity,
                      std::make_unique<MemorySource>(node->second.bytes)};
}

}  // namespace openhook::image
