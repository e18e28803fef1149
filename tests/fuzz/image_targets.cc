// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tests/fuzz/image_targets.h"

#include <algorithm>
#include <climits>
#include <string>

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

Verdict FuzzHeader(std::string_view input, std::optional<Format> format, std::size_t name_limit) {
  const auto header = ReadHeader(MemorySource(std::string(input)), format);
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
  constexpr std::size_t kMost = std::size_t{4} << 20;
  std::string image;
  while (!input.empty()) {
    const std::size_t offset = TakeNumber(input, 4);
    const std::string_view piece = Take(input, TakeNumber(input, 2));
    if (offset + piece.size() <= kMost) {
      image.resize(std::max(image.size(), offset + piece.size()), '\0');
      image.replace(offset, piece.size(), piece);
    }
  }
  return FuzzHeader(image, Format::kVhdx, 0);
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
