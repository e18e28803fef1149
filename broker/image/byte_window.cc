// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/byte_window.h"

#include <algorithm>

namespace openhook::image {

bool ByteWindow::Holds(std::uint64_t offset, std::size_t length) const {
  return offset >= begin_ && offset - begin_ <= bytes_.size() &&
         length <= bytes_.size() - (offset - begin_);
}

std::string_view ByteWindow::Cut(std::uint64_t offset, std::size_t length) const {
  return std::string_view(bytes_).substr(static_cast<std::size_t>(offset - begin_), length);
}

Result<void> ByteWindow::Slide(std::uint64_t offset, std::size_t length) {
  bytes_.resize(std::max(length, next_chunk_));
  next_chunk_ = std::min(next_chunk_ * 2, kMaxChunk);
  begin_ = offset;
  const auto count = source_.ReadAt(offset, bytes_);
  if (!count) {
    bytes_.clear();
    return tl::make_unexpected(count.error());
  }
  bytes_.resize(*count);
  return {};
}

Result<std::string_view> ByteWindow::At(std::uint64_t offset, std::size_t length,
                                        std::string_view field) {
  CheckOrDie(length <= kMaxChunk, "an image reader asked for more than one chunk");
  if (!Holds(offset, length)) {
    if (auto slid = Slide(offset, length); !slid) {
      return tl::make_unexpected(slid.error());
    }
    if (!Holds(offset, length)) {
      return Fail(ErrorCode::kCorrupt, "the file ends too early: " + std::string(field) +
                                           " needs " + std::to_string(length) + " bytes at byte " +
                                           std::to_string(offset) + ", and only " +
                                           std::to_string(bytes_.size()) + " are there");
    }
  }
  return Cut(offset, length);
}

Result<std::string_view> ByteWindow::Prefix(std::size_t length) {
  CheckOrDie(length <= kMaxChunk, "an image reader asked for more than one chunk");
  if (!Holds(0, length)) {
    if (auto slid = Slide(0, length); !slid) {
      return tl::make_unexpected(slid.error());
    }
  }
  return Cut(0, length);
}

Result<std::string> ByteWindow::TextAt(std::uint64_t offset, std::size_t limit,
                                       std::string_view field) {
  std::string text;
  std::string chunk;
  do {
    // One byte beyond the limit tells a text that ends there from one that goes on.
    chunk.resize(std::min(kMaxChunk, limit + 1 - text.size()));
    const auto count = source_.ReadAt(offset + text.size(), chunk);
    if (!count) {
      return tl::make_unexpected(count.error());
    }
    chunk.resize(*count);
    const std::size_t end = chunk.find('\0');
    text += chunk.substr(0, end);
    if (end != std::string::npos || chunk.empty()) {
      return text;
    }
  } while (text.size() <= limit);
  return Fail(ErrorCode::kLimit,
              std::string(field) + " is longer than " + std::to_string(limit) + " bytes");
}

}  // namespace openhook::image
