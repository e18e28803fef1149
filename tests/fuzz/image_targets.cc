// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tests/fuzz/image_targets.h"

#include <algorithm>
#include <climits>
#include <string>
#include <utility>
#include <vector>

#include "broker/base/limits.h"
#include "broker/image/backing_name.h"
#include "broker/image/chain.h"
#include "broker/image/probe.h"
#include "tests/fuzz/memory_members.h"

namespace openhook::image {

namespace {

void CheckName(const std::string& name, std::size_t limit) {
  CheckOrDie(!name.empty() && name.size() <= limit, "a name is empty or too long");
  CheckOrDie(name.find('\0') == std::string::npos, "a name has a NUL byte");
}

void CheckError(const Error& error) {
  CheckOrDie(!error.context.empty(), "an error says nothing");
  CheckOrDie(std::all_of(error.context.begin(), error.context.end(),
                         [](unsigned char c) { return c >= 0x20 && c < 0x7f; }),
             "a message has bytes that were not escaped");
}

// A file that is zeros but for some pieces; the last one wins where they meet.
class PieceSource final : public ByteSource {
 public:
  void Add(std::uint64_t offset, std::string_view bytes) {
    pieces_.emplace_back(offset, bytes);
    length_ = std::max(length_, offset + bytes.size());
  }
  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<char> buffer) const override {
    const std::uint64_t left = offset < length_ ? length_ - offset : 0;
    buffer = buffer.first(std::min<std::size_t>(buffer.size(), left));
    std::fill(buffer.begin(), buffer.end(), '\0');
    for (const auto& [begin, bytes] : pieces_) {
      const std::uint64_t from = std::max(begin, offset);
      const std::uint64_t to = std::min(begin + bytes.size(), offset + buffer.size());
      if (from < to) {
        bytes.copy(&buffer[from - offset], to - from, from - begin);
      }
    }
    return buffer.size();
  }

 private:
  std::vector<std::pair<std::uint64_t, std::string_view>> pieces_;
  std::uint64_t length_ = 0;
};

Verdict FuzzSource(const ByteSource& source, std::optional<Format> format, std::size_t name_limit) {
  const auto header = ReadHeader(source, format);
  if (!header) {
    CheckError(header.error());
    return Verdict::kRefused;
  }
  CheckOrDie(!format || header->format == format, "a reader answered for another format");
  if (header->backing) {
    CheckName(header->backing->name, name_limit);
  }
  if (header->data_file) {
    CheckName(header->data_file->name, PATH_MAX - 1);
  }
  for (const ExtentReference& extent : header->extents) {
    CheckName(extent.name, 511);
  }
  return Verdict::kAccepted;
}

Verdict FuzzHeader(std::string_view input, std::optional<Format> format, std::size_t name_limit) {
  return FuzzSource(MemorySource(std::string(input)), format, name_limit);
}

// Takes `count` bytes off the front, or what is left.
std::string_view Take(std::string_view& input, std::size_t count) {
  const std::string_view taken = input.substr(0, count);
  input.remove_prefix(taken.size());
  return taken;
}

std::size_t TakeNumber(std::string_view& input, std::size_t bytes) {
  std::size_t number = 0;
  for (const char c : Take(input, bytes)) {
    number = number << 8 | static_cast<unsigned char>(c);
  }
  return number;
}

void CheckChain(const Chain& chain) {
  CheckOrDie(!chain.members.empty() && chain.members.front().role == MemberRole::kImage,
             "a chain does not begin with its image");
  CheckOrDie(chain.members.size() <= 2 * limits::kMaxChainDepth + limits::kMaxChainExtents,
             "a chain is too long");
  for (auto member = chain.members.begin(); member != chain.members.end(); ++member) {
    CheckName(member->name, SIZE_MAX);
    CheckOrDie((member->access == MemberAccess::kReadWrite) == (member->depth == 0),
               "a member has the access of another depth");
    CheckOrDie(std::none_of(chain.members.begin(), member,
                            [&](const auto& one) { return one.identity == member->identity; }),
               "a file stands in a chain twice");
  }
}

}  // namespace

Verdict FuzzQcow2(std::string_view input) { return FuzzHeader(input, Format::kQcow2, 1023); }

Verdict FuzzQed(std::string_view input) { return FuzzHeader(input, Format::kQed, PATH_MAX - 1); }

Verdict FuzzQcow(std::string_view input) { return FuzzHeader(input, Format::kQcow, 1023); }

Verdict FuzzVmdk(std::string_view input) {
  // As another image's extent as well, which has a reader of its own.
  const MemorySource source{std::string(input)};
  if (const auto extent = CheckExtent(source, Format::kVmdk); !extent) {
    CheckError(extent.error());
  }
  return FuzzHeader(input, Format::kVmdk, PATH_MAX - 1);
}

Verdict FuzzVhdx(std::string_view input) {
  PieceSource image;
  while (!input.empty()) {
    const std::size_t offset = TakeNumber(input, 4);
    image.Add(offset, Take(input, TakeNumber(input, 2)));
  }
  return FuzzSource(image, Format::kVhdx, 0);
}

Verdict FuzzVpc(std::string_view input) { return FuzzHeader(input, Format::kVpc, 0); }

Verdict FuzzVdi(std::string_view input) { return FuzzHeader(input, Format::kVdi, 0); }

Verdict FuzzParallels(std::string_view input) { return FuzzHeader(input, Format::kParallels, 0); }

Verdict FuzzLuks(std::string_view input) { return FuzzHeader(input, Format::kLuks, 0); }

Verdict FuzzBochs(std::string_view input) { return FuzzHeader(input, Format::kBochs, 0); }

Verdict FuzzCloop(std::string_view input) { return FuzzHeader(input, Format::kCloop, 0); }

Verdict FuzzDmg(std::string_view input) { return FuzzHeader(input, Format::kDmg, 0); }

Verdict FuzzProbe(std::string_view input) { return FuzzHeader(input, std::nullopt, PATH_MAX - 1); }

Verdict FuzzBackingName(std::string_view input) {
  const std::string_view image = input.substr(0, input.find('\n'));
  input.remove_prefix(std::min(input.size(), image.size() + 1));
  const auto layers = ParseBackingName(input, image);
  if (!layers) {
    CheckError(layers.error());
    return Verdict::kRefused;
  }
  CheckOrDie(!layers->empty(), "a name describes no layer");
  for (const BackingLayer& layer : *layers) {
    CheckName(layer.target.name, SIZE_MAX);
    const bool is_last = &layer == &layers->back();
    CheckOrDie((layer.below == Below::kNextLayer) != is_last, "a layer points nowhere");
  }
  return Verdict::kAccepted;
}

Verdict FuzzChain(std::string_view input) {
  MemoryMembers members;
  std::string image;
  while (!input.empty()) {
    const std::string name = "/vm/" + std::string(Take(input, TakeNumber(input, 1)));
    members.Add(name, std::string(Take(input, TakeNumber(input, 2))));
    image = image.empty() ? name : image;
  }
  const auto chain = WalkChain(members, image, std::nullopt);
  if (!chain) {
    CheckError(chain.error());
    return Verdict::kRefused;
  }
  CheckChain(*chain);
  return Verdict::kAccepted;
}

}  // namespace openhook::image
