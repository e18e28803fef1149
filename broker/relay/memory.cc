// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/relay/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace openhook::relay {

namespace {

// The first byte tells which slot is valid: 0 neither, 1 or 2. A slot is a length and a text.
constexpr off_t kSlots = 4096;

off_t OffsetOf(unsigned char slot) {
  return kSlots + (slot - 1) * static_cast<off_t>(Memory::kMaxBytes + kSlots);
}

Result<void> WriteAll(int file, const void* data, std::size_t size, off_t offset) {
  const auto* bytes = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = ::pwrite(file, bytes, size, offset);
    if (written < 0 && errno != EINTR) {
      return FailErrno(errno, "cannot write the relay's memory");
    }
    const auto done = static_cast<std::size_t>(written < 0 ? 0 : written);
    bytes += done;
    size -= done;
    offset += static_cast<off_t>(done);
  }
  return {};
}

Result<void> ReadAll(int file, void* data, std::size_t size, off_t offset) {
  auto* bytes = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t done = ::pread(file, bytes, size, offset);
    if (done == 0) {
      return Fail(ErrorCode::kCorrupt, "the relay's memory is shorter than it says");
    }
    if (done < 0 && errno != EINTR) {
      return FailErrno(errno, "cannot read the relay's memory");
    }
    const auto read = static_cast<std::size_t>(done < 0 ? 0 : done);
    bytes += read;
    size -= read;
    offset += static_cast<off_t>(read);
  }
  return {};
}

}  // namespace

Result<Memory> Memory::Make() {
  UniqueFd file(::memfd_create("openhook-relay", MFD_CLOEXEC));
  if (!file.IsValid()) {
    return FailErrno(errno, "cannot make the relay's memory");
  }
  const unsigned char none = 0;
  return WriteAll(file.Get(), &none, 1, 0).map([&] { return Memory(std::move(file)); });
}

Result<unsigned char> Memory::ValidSlot() const {
  unsigned char slot = 0;
  return ReadAll(file_.Get(), &slot, 1, 0).map([&] { return slot; });
}

Result<void> Memory::Write(const std::string& text) {
  if (text.size() > kMaxBytes) {
    return Fail(ErrorCode::kLimit, "the relay has more to remember than it has room for");
  }
  const auto valid = ValidSlot();
  if (!valid) {
    return tl::make_unexpected(valid.error());
  }
  const unsigned char next = *valid == 1 ? 2 : 1;
  const std::uint64_t size = text.size();
  return WriteAll(file_.Get(), &size, sizeof(size), OffsetOf(next))
      .and_then([&] {
        return WriteAll(file_.Get(), text.data(), text.size(),
                        OffsetOf(next) + static_cast<off_t>(sizeof(size)));
      })
      .and_then([&] { return WriteAll(file_.Get(), &next, 1, 0); });
}

Result<std::string> Memory::Read() const {
  const auto valid = ValidSlot();
  if (!valid || *valid == 0) {
    return valid.map([](unsigned char) { return std::string(); });
  }
  std::uint64_t size = 0;
  std::string text;
  return ReadAll(file_.Get(), &size, sizeof(size), OffsetOf(*valid))
      .and_then([&] {
        text.resize(size > kMaxBytes ? 0 : size);
        return ReadAll(file_.Get(), text.data(), text.size(),
                       OffsetOf(*valid) + static_cast<off_t>(sizeof(size)));
      })
      .map([&] { return text; });
}

}  // namespace openhook::relay
