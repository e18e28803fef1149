// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The only thing that an image reader may ask of the world: bytes at an offset. Readers get a
// ByteSource, never a path, so they can run where no file can be opened, and be fed from memory.

#ifndef BROKER_IMAGE_BYTE_SOURCE_H_
#define BROKER_IMAGE_BYTE_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::image {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills `buffer` with the bytes from `offset` on and says how many there were: fewer than asked
  // for only at the end of the file.
  virtual Result<std::size_t> ReadAt(std::uint64_t offset, std::span<char> buffer) const = 0;
};

// Bytes of another source from `begin` on, at most `size` of them: an image within a larger file.
// `whole` must outlive the slice.
class SliceSource final : public ByteSource {
 public:
  SliceSource(const ByteSource& whole, std::uint64_t begin, std::uint64_t size)
      : whole_(whole), begin_(begin), size_(size) {}
  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<char> buffer) const override;

 private:
  const ByteSource& whole_;
  std::uint64_t begin_;
  std::uint64_t size_;
};

// How many bytes there are, found with about a hundred reads of one byte: few formats need it.
Result<std::uint64_t> LengthOf(const ByteSource& source);

// Reads a descriptor with pread(2), and does nothing else with it.
class FdByteSource final : public ByteSource {
 public:
  explicit FdByteSource(IoFd fd) : fd_(std::move(fd)) {}
  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<char> buffer) const override;

 private:
  IoFd fd_;
};

}  // namespace openhook::image

#endif  // BROKER_IMAGE_BYTE_SOURCE_H_
