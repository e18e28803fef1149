// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/lock_name.h"

#include <sys/sysmacros.h>

#include <array>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <string_view>

namespace openhook::fs {

namespace {

[[gnu::format(printf, 1, 2)]] std::string Format(const char* format, ...) {
  std::array<char, 128> text{};
  std::va_list arguments;
  va_start(arguments, format);
  (void)std::vsnprintf(text.data(), text.size(), format, arguments);
  va_end(arguments);
  return text.data();
}

// Base 64 with the alphabet of RFC 4648 section 5, without padding. Hexadecimal would not do: the
// largest handle (MAX_HANDLE_SZ and its type) would be longer than a file name may be. A hash could
// mix two files up.
std::string Base64(std::string_view bytes) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  unsigned pending = 0;
  unsigned bits = 0;
  for (const char byte : bytes) {
    pending = (pending << 8U) | static_cast<unsigned char>(byte);
    for (bits += 8; bits >= 6; bits -= 6) {
      text += kDigits[(pending >> (bits - 6)) & 63U];
    }
  }
  if (bits > 0) {
    text += kDigits[(pending << (6 - bits)) & 63U];
  }
  return text;
}

// The kernel numbers file systems without a block device (NFS, btrfs, FUSE) as they are mounted, so
// two mounts of one NFS export may have two numbers. The file handle is the same through both; but
// btrfs does not tell one file system from another in it, which the birth time does.
bool HasStableDevice(const FileIdentity& identity) { return ::major(identity.dev) != 0; }

std::string NameOfFile(const FileIdentity& identity) {
  // The birth time, because an inode number is used again: a grant of a file that was deleted must
  // not lock the next file of that number.
  if (identity.handle.empty() || HasStableDevice(identity)) {
    return Format("file-%" PRIx64 "-%" PRIx64 "-%" PRIx64, identity.dev, identity.ino,
                  static_cast<std::uint64_t>(identity.birth_ns));
  }
  return "handle-" + Base64(identity.handle) +
         Format("-%" PRIx64, static_cast<std::uint64_t>(identity.birth_ns));
}

}  // namespace

std::optional<std::string> LockName(const FileIdentity& identity) {
  switch (identity.kind) {
    case FileKind::kRegular:
      return NameOfFile(identity);
    case FileKind::kBlock:
      // The disk, not the node: any number of nodes may lead to one disk.
      return Format("block-%u-%u", ::major(identity.rdev), ::minor(identity.rdev));
    case FileKind::kCharacter:
    case FileKind::kFifo:
    case FileKind::kDirectory:
    case FileKind::kOther:
      break;
  }
  return std::nullopt;
}

}  // namespace openhook::fs
