// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Bounded, buffered reading of a header. The first read takes 4 KiB, which holds the whole header
// of nearly every image, so a member of a chain costs one pread; later reads double up to 64 KiB.
// Every access names the field that it is for: a short file is reported by what is missing.

#ifndef BROKER_IMAGE_BYTE_WINDOW_H_
#define BROKER_IMAGE_BYTE_WINDOW_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "broker/base/result.h"
#include "broker/image/byte_source.h"

namespace openhook::image {

class ByteWindow {
 public:
  // `source` must outlive the window.
  explicit ByteWindow(const ByteSource& source) : source_(source) {}

  // The bytes [offset, offset + length), valid until the next call. `length` is at most kMaxChunk.
  // Errors: kCorrupt when the file ends before them, naming `field`; those of ByteSource.
  Result<std::string_view> At(std::uint64_t offset, std::size_t length, std::string_view field);

  // The first `length` bytes, or all there are of a shorter file; valid until the next call.
  Result<std::string_view> Prefix(std::size_t length);

  // The text from `offset` on, up to a NUL byte or the end of the file.
  // Errors: kLimit when it goes on after `limit` bytes, naming `field`; those of ByteSource.
  Result<std::string> TextAt(std::uint64_t offset, std::size_t limit, std::string_view field);

  // Bytes of the file: see LengthOf().
  Result<std::uint64_t> Length() { return LengthOf(source_); }

  static constexpr std::size_t kFirstChunk = std::size_t{4} * 1024;
  static constexpr std::size_t kMaxChunk = std::size_t{64} * 1024;

 private:
  // Makes the window begin at `offset` and hold `length` bytes, if the file does.
  Result<void> Slide(std::uint64_t offset, std::size_t length);
  [[nodiscard]] bool Holds(std::uint64_t offset, std::size_t length) const;
  [[nodiscard]] std::string_view Cut(std::uint64_t offset, std::size_t length) const;

  const ByteSource& source_;
  std::string bytes_;
  std::uint64_t begin_ = 0;
  std::size_t next_chunk_ = kFirstChunk;
};

}  // namespace openhook::image

#endif  // BROKER_IMAGE_BYTE_WINDOW_H_
