// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/byte_source.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <string>

namespace openhook::image {

Result<std::size_t> FdByteSource::ReadAt(std::uint64_t offset, std::span<char> buffer) const {
  std::size_t done = 0;
  while (done < buffer.size()) {
    if (offset > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max()) - done) {
      return done;  // no file reaches that far
    }
    const ssize_t count = ::pread(fd_.Get(), buffer.data() + done, buffer.size() - done,
                                  static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return FailErrno(errno, "cannot read the image at byte " + std::to_string(offset + done));
    }
    if (count == 0) {
      return done;
    }
    done += static_cast<std::size_t>(count);
  }
  return done;
}

Result<std::size_t> SliceSource::ReadAt(std::uint64_t offset, std::span<char> buffer) const {
  if (offset >= size_ || offset > std::numeric_limits<std::uint64_t>::max() - begin_) {
    return std::size_t{0};
  }
  const std::uint64_t count = std::min<std::uint64_t>(buffer.size(), size_ - offset);
  return whole_.ReadAt(begin_ + offset, buffer.first(static_cast<std::size_t>(count)));
}

Result<std::uint64_t> LengthOf(const ByteSource& source) {
  // The file has at least `low` bytes and fewer than `high`: doubled first, then halved.
  std::uint64_t low = 0;
  std::uint64_t high = 1;
  bool bounded = false;
  while (!bounded || high - low > 1) {
    const std::uint64_t middle = bounded ? low + (high - low) / 2 : high;
    char byte = 0;
    const auto count = source.ReadAt(middle - 1, {&byte, 1});
    if (!count) {
      return tl::make_unexpected(count.error());
    }
    if (*count == 0) {
      high = middle;
      bounded = true;
    } else {
      low = middle;
      high = bounded ? high : high * 2;
    }
  }
  return low;
}

}  // namespace openhook::image
