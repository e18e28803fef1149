// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/probe.h"

#include <string>
#include <string_view>

#include "broker/image/qcow2.h"
#include "broker/image/qed.h"

namespace openhook::image {

namespace {

using std::string_view_literals::operator""sv;

struct Magic {
  std::string_view format;
  std::size_t offset;
  std::string_view bytes;
};

// Formats that QEMU would probe and that we cannot follow: taking them for raw would hide the files
// that they name.
constexpr Magic kForeign[] = {
    {"qcow", 0, "QFI\xfb\0\0\0\1"sv},
    {"vmdk", 0, "KDMV"sv},
    {"vmdk", 0, "COWD"sv},
    {"vmdk", 0, "# Disk DescriptorFile"sv},
    {"vdi", 0x40, "\x7f\x10\xda\xbe"sv},
    {"vhdx", 0, "vhdxfile"sv},
    {"vpc", 0, "conectix"sv},
    {"luks", 0, "LUKS\xba\xbe"sv},
    {"parallels", 0, "WithoutFreeSpace"sv},
    {"parallels", 0, "WithouFreSpacExt"sv},
    {"bochs", 0, "Bochs Virtual HD Image"sv},
};

constexpr std::size_t kProbedBytes = 128;

bool Shows(std::string_view start, const Magic& magic) {
  return start.size() >= magic.offset && start.substr(magic.offset).starts_with(magic.bytes);
}

}  // namespace

Result<Format> ProbeFormat(ByteWindow& window) {
  const auto start = window.Prefix(kProbedBytes);
  if (!start) {
    return tl::make_unexpected(start.error());
  }
  for (const Magic& magic : kForeign) {
    if (Shows(*start, magic)) {
      return Fail(ErrorCode::kUnsupported,
                  "it looks like the format " + std::string(magic.format) +
                      ", which cannot be followed; declare --format raw if it is a raw disk, "
                      "or convert it with qemu-img convert -O qcow2");
    }
  }
  if (start->starts_with(kQcow2Magic)) {
    return Format::kQcow2;
  }
  return start->starts_with(kQedMagic) ? Format::kQed : Format::kRaw;
}

Result<Header> ReadHeader(const ByteSource& source, std::optional<Format> declared) {
  ByteWindow window(source);
  const Result<Format> format = declared ? Result<Format>(*declared) : ProbeFormat(window);
  if (!format) {
    return tl::make_unexpected(format.error());
  }
  switch (*format) {
    case Format::kQcow2:
      return ReadQcow2(window);
    case Format::kQed:
      return ReadQed(window);
    case Format::kRaw:
      break;
  }
  return Header{};  // raw: bare bytes, which name no other file
}

}  // namespace openhook::image
