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
