// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What is done to a file, in the words that security modules have in common, and sets of it.

#ifndef POLICY_LABEL_FILE_USE_H_
#define POLICY_LABEL_FILE_USE_H_

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace openhook::label {

enum class FileUse : std::uint8_t { kRead, kWrite, kAppend, kCreate, kDelete, kLock };

inline constexpr std::array kAllFileUses{FileUse::kRead,   FileUse::kWrite,  FileUse::kAppend,
                                         FileUse::kCreate, FileUse::kDelete, FileUse::kLock};

constexpr std::string_view ToString(FileUse use) {
  switch (use) {
    case FileUse::kRead:
      return "read";
    case FileUse::kWrite:
      return "write";
    case FileUse::kAppend:
      return "append";
    case FileUse::kCreate:
      return "create";
    case FileUse::kDelete:
      return "delete";
    case FileUse::kLock:
      return "lock";
  }
  return "unknown";
}

class FileUses {
 public:
  constexpr FileUses() = default;
  constexpr FileUses(std::initializer_list<FileUse> uses) {
    for (const FileUse use : uses) {
      Add(use);
    }
  }

  constexpr void Add(FileUse use) { bits_ |= Bit(use); }
  [[nodiscard]] constexpr bool Has(FileUse use) const { return (bits_ & Bit(use)) != 0; }
  [[nodiscard]] constexpr bool Empty() const { return bits_ == 0; }
  [[nodiscard]] constexpr FileUses Without(FileUses others) const {
    FileUses left;
    left.bits_ = bits_ & ~others.bits_;
    return left;
  }
  constexpr bool operator==(const FileUses&) const = default;

  // "read, write"
  [[nodiscard]] std::string Text() const {
    std::string text;
    for (const FileUse use : kAllFileUses) {
      if (Has(use)) {
        text += (text.empty() ? "" : ", ") + std::string(ToString(use));
      }
    }
    return text;
  }

 private:
  static constexpr unsigned Bit(FileUse use) { return 1U << static_cast<unsigned>(use); }
  unsigned bits_ = 0;
};

}  // namespace openhook::label

#endif  // POLICY_LABEL_FILE_USE_H_
