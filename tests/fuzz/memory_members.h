// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Images that live in memory: what the chain walk needs of a file system, for unit tests and fuzz
// targets. Relative names begin in /vm, and every directory is real.

#ifndef TESTS_FUZZ_MEMORY_MEMBERS_H_
#define TESTS_FUZZ_MEMORY_MEMBERS_H_

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "broker/image/member_opener.h"

namespace openhook::image {

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::string bytes) : bytes_(std::move(bytes)) {}
  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<char> buffer) const override;
  [[nodiscard]] std::size_t Reads() const { return reads_; }

 private:
  std::string bytes_;
  mutable std::size_t reads_ = 0;
};

class MemoryMembers final : public MemberOpener {
 public:
  // A file of its own. The path is absolute and canonical.
  void Add(const std::string& path, std::string bytes);
  // One more name of the file at `existing`.
  void Link(const std::string& existing, const std::string& path);
  // Something that is not a disk.
  void AddOther(const std::string& path);

  Result<OpenedMember> Open(std::string_view spelling) override;

 private:
  struct Node {
    MemberIdentity identity;
    std::string bytes;
  };
  std::map<std::string, Node> nodes_;
  std::uint64_t next_inode_ = 1;
};

}  // namespace openhook::image

#endif  // TESTS_FUZZ_MEMORY_MEMBERS_H_
