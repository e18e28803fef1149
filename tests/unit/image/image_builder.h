// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Builds image headers byte by byte, good ones and bad ones. Written from the format
// specifications; real_chain_test.cc holds it against what qemu-img makes.

#ifndef TESTS_UNIT_IMAGE_IMAGE_BUILDER_H_
#define TESTS_UNIT_IMAGE_IMAGE_BUILDER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace openhook::image {

inline std::string BigEndianBytes(std::uint64_t value, std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = size; i > 0; --i, value >>= 8) {
    bytes[i - 1] = static_cast<char>(value & 0xff);
  }
  return bytes;
}

inline std::string LittleEndianBytes(std::uint64_t value, std::size_t size) {
  const std::string bytes = BigEndianBytes(value, size);
  return {bytes.rbegin(), bytes.rend()};
}

struct Extension {
  std::uint32_t type = 0;
  std::string data;
};

inline constexpr std::uint32_t kBackingFormatType = 0xe2792aca;
inline constexpr std::uint32_t kFeatureNamesType = 0x6803f857;
inline constexpr std::uint32_t kBitmapsType = 0x23852875;
inline constexpr std::uint32_t kEncryptionType = 0x0537be77;
inline constexpr std::uint32_t kDataFileType = 0x44415441;

// One row of a feature name table.
inline std::string FeatureName(std::uint8_t kind, std::uint8_t bit, std::string name) {
  name.resize(46, '\0');
  return std::string{static_cast<char>(kind), static_cast<char>(bit)} + name;
}

struct Qcow2Image {
  std::uint32_t version = 3;
  std::uint32_t cluster_bits = 16;
  std::uint64_t size = 1 << 20;
  std::uint32_t crypt_method = 0;
  std::uint64_t incompatible = 0;
  std::uint64_t autoclear = 0;
  std::uint32_t refcount_order = 4;
  std::uint32_t header_length = 104;
  std::string more_header = {};  // what follows the 104 bytes, e.g. the compression type
  std::vector<Extension> extensions = {};
  bool end_mark = true;
  std::string backing = {};
  // In place of the true values.
  std::optional<std::uint64_t> backing_offset = {};
  std::optional<std::uint32_t> backing_size = {};
  std::size_t total = 0;  // pads the file with zeros up to here

  [[nodiscard]] std::string Tail() const {
    std::string tail;
    for (const Extension& extension : extensions) {
      tail += BigEndianBytes(extension.type, 4) + BigEndianBytes(extension.data.size(), 4);
      tail += extension.data;
      tail.append((8 - extension.data.size() % 8) % 8, '\0');
    }
    return tail + (end_mark ? std::string(8, '\0') : "");
  }

  [[nodiscard]] std::string Bytes() const {
    const std::string tail = Tail();
    const std::size_t head = version == 2 ? 72 : 104 + more_header.size();
    const std::uint64_t offset = backing.empty() ? 0 : head + tail.size();
    std::string bytes = "QFI\xfb" + BigEndianBytes(version, 4) +
                        BigEndianBytes(backing_offset.value_or(offset), 8) +
                        BigEndianBytes(backing_size.value_or(backing.size()), 4) +
                        BigEndianBytes(cluster_bits, 4) + BigEndianBytes(size, 8) +
                        BigEndianBytes(crypt_method, 4) + std::string(36, '\0');
    if (version != 2) {
      bytes += BigEndianBytes(incompatible, 8) + BigEndianBytes(0, 8) +
               BigEndianBytes(autoclear, 8) + BigEndianBytes(refcount_order, 4) +
               BigEndianBytes(header_length, 4) + more_header;
    }
    bytes += tail + backing;
    bytes.resize(std::max(bytes.size(), total), '\0');
    return bytes;
  }
};

// A qcow2 image over `backing`, of a declared format.
inline std::string Overlay(const std::string& backing, const std::string& format) {
  Qcow2Image image;
  image.extensions = {{kBackingFormatType, format}};
  image.backing = backing;
  return image.Bytes();
}

// A qcow2 image whose guest data is in another file.
inline Qcow2Image WithDataFile(const std::string& name) {
  Qcow2Image image;
  image.incompatible = 1 << 2;
  image.extensions = {{kDataFileType, name}};
  return image;
}

// A qcow2 image of its own.
inline std::string PlainQcow2() { return Qcow2Image{}.Bytes(); }

struct QedImage {
  std::uint32_t cluster_size = 65536;
  std::uint32_t table_size = 4;
  std::uint32_t header_size = 1;
  std::uint64_t features = 0;
  std::uint64_t image_size = 1 << 20;
  std::string backing = {};
  std::uint32_t backing_offset = 64;
  std::optional<std::uint32_t> backing_size = {};

  [[nodiscard]] std::string Bytes() const {
    return std::string("QED\0", 4) + LittleEndianBytes(cluster_size, 4) +
           LittleEndianBytes(table_size, 4) + LittleEndianBytes(header_size, 4) +
           LittleEndianBytes(features, 8) + std::string(16, '\0') + LittleEndianBytes(65536, 8) +
           LittleEndianBytes(image_size, 8) + LittleEndianBytes(backing_offset, 4) +
           LittleEndianBytes(backing_size.value_or(backing.size()), 4) + backing;
  }
};

struct QcowImage {
  std::uint32_t version = 1;
  std::uint64_t size = 1 << 20;
  std::uint8_t cluster_bits = 12;
  std::uint32_t crypt_method = 0;
  std::string backing = {};
  std::optional<std::uint64_t> backing_offset = {};
  std::optional<std::uint32_t> backing_size = {};

  [[nodiscard]] std::string Bytes() const {
    const std::uint64_t offset = backing.empty() ? 0 : 48;
    return "QFI\xfb" + BigEndianBytes(version, 4) +
           BigEndianBytes(backing_offset.value_or(offset), 8) +
           BigEndianBytes(backing_size.value_or(backing.size()), 4) + std::string(4, '\0') +
           BigEndianBytes(size, 8) + BigEndianBytes(cluster_bits, 1) + std::string("\x09\0\0", 3) +
           BigEndianBytes(crypt_method, 4) + std::string(8, '\0') + backing;
  }
};

// A vmdk descriptor with these extent lines, and `more` lines before them.
inline std::string Descriptor(const std::string& extents, const std::string& more = {},
                              const std::string& type = "monolithicFlat") {
  const std::string parent =
      more.find("parentFileNameHint") == std::string::npos ? "ffffffff" : "1";
  return "# Disk DescriptorFile\nversion=1\nCID=5d33685c\nparentCID=" + parent + "\ncreateType=\"" +
         type + "\"\n" + more + "\n# Extent description\n" + extents +
         "\n# The Disk Data Base\n#DDB\nddb.adapterType = \"ide\"\n";
}

// A sparse vmdk file; without a descriptor it is an extent.
inline std::string SparseVmdk(std::uint64_t capacity, const std::string& descriptor) {
  std::string bytes = "KDMV" + LittleEndianBytes(1, 4) + LittleEndianBytes(3, 4) +
                      LittleEndianBytes(capacity, 8) + LittleEndianBytes(128, 8) +
                      LittleEndianBytes(descriptor.empty() ? 0 : 1, 8);
  bytes.resize(512, '\0');
  return bytes + descriptor + std::string(descriptor.empty() ? 0 : 16, '\0');
}

}  // namespace openhook::image

#endif  // TESTS_UNIT_IMAGE_IMAGE_BUILDER_H_
