// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/byte_source.h"

#include <unistd.h>

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

}  // namespace openhook::image
