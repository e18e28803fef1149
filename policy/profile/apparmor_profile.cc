// SPDX-License-Identifier: LGPL-2.1-or-later

#include "policy/profile/apparmor_profile.h"

#include <algorithm>

#include "broker/base/limits.h"
#include "broker/base/text.h"

namespace openhook::apparmor {

namespace {

constexpr std::string_view kPlaceholder = "OPENHOOK_TEMPLATE";
constexpr std::string_view kNameLine = "\nprofile OPENHOOK_TEMPLATE";
constexpr std::string_view kLastLine = "\n}";
constexpr std::string_view kUuidShape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
constexpr std::size_t kMaxNameBytes = 255;
// What libvirt numbers running domains with: a pattern has no "as many digits as there are".
constexpr std::size_t kMaxIdDigits = 10;
constexpr std::size_t kMaxShortName = 20;
constexpr unsigned char kUtf8Mask = 0xC0;
constexpr unsigned char kUtf8Continuation = 0x80;
constexpr unsigned kOctalBits = 3;
constexpr unsigned char kOctalMask = 7;

bool IsPlain(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '/';
}

bool IsLowerHex(char byte) { return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f'); }

// The place of `wanted` in `text`, when it is there once.
Result<std::size_t> FindOnce(std::string_view text, std::string_view wanted) {
  const std::size_t place = text.find(wanted);
  if (place == std::string_view::npos || text.find(wanted, place + 1) != std::string_view::npos) {
    return Fail(ErrorCode::kInvalidArgument,
                "the template of the AppArmor profile must have the line " +
                    Quote(wanted.substr(1)) + " exactly once");
  }
  return place;
}

Result<void> CheckNames(const VmNames& vm) {
  if (!IsUuid(vm.uuid)) {
    return Fail(ErrorCode::kInvalidArgument, Quote(vm.uuid) + " is not a UUID in lower case");
  }
  if (vm.name.size() > kMaxNameBytes || vm.name.find('/') != std::string::npos ||
      vm.name.find('\0') != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument,
                "the name of a VM has no slash and at most 255 bytes, unlike " + Quote(vm.name));
  }
  if (vm.id.size() > kMaxIdDigits || vm.id.find_first_not_of("0123456789") != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument,
                "libvirt's number of a domain has one to ten digits, unlike " + Quote(vm.id));
  }
  return {};
}

// As libvirt shortens names for directories: characters count, not bytes.
std::string_view ShortName(std::string_view name) {
  std::size_t characters = 0;
  for (std::size_t at = 0; at < name.size(); ++at) {
    const bool begins = (static_cast<unsigned char>(name[at]) & kUtf8Mask) != kUtf8Continuation;
    if (begins && ++characters > kMaxShortName) {
      return name.substr(0, at);
    }
  }
  return name;
}

std::string AnyId() {
  std::string pattern = "{";
  std::string digits;
  for (std::size_t count = 1; count <= kMaxIdDigits; ++count) {
    digits += "[0-9]";
    pattern += digits + (count == kMaxIdDigits ? "}" : ",");
  }
  return pattern;
}

std::string WithName(std::string_view text, const std::string& profile_name) {
  std::string named(text);
  for (std::size_t place = named.find(kPlaceholder); place != std::string::npos;
       place = named.find(kPlaceholder, place + profile_name.size())) {
    named.replace(place, kPlaceholder.size(), profile_name);
  }
  return named;
}

std::size_t SharedPrefix(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first -
                                  a.begin());
}

}  // namespace

bool IsUuid(std::string_view text) {
  return text.size() == kUuidShape.size() &&
         std::equal(text.begin(), text.end(), kUuidShape.begin(), [](char byte, char shape) {
           return shape == '-' ? byte == '-' : IsLowerHex(byte);
         });
}

std::string ProfileName(std::string_view uuid) { return "libvirt-" + std::string(uuid); }

std::string EscapePath(std::string_view bytes) {
  std::string escaped;
  for (const char byte : bytes) {
    if (IsPlain(byte)) {
      escaped += byte;
      continue;
    }
    const auto value = static_cast<unsigned char>(byte);
    escaped += '\\';
    for (const unsigned shift : {2 * kOctalBits, kOctalBits, 0U}) {
      escaped += static_cast<char>('0' + ((value >> shift) & kOctalMask));
    }
  }
  return escaped;
}

std::string RenderRule(const CanonicalPath& path, RuleAccess access) {
  return "  \"" + EscapePath(path.str()) +
         (access == RuleAccess::kReadWrite ? "\" rwk,\n" : "\" rk,\n");
}

Result<std::string> RenderProfile(std::string_view text, const VmNames& vm, const Rules& rules) {
  if (auto checked = CheckNames(vm); !checked) {
    return tl::make_unexpected(checked.error());
  }
  const auto name = FindOnce(text, kNameLine);
  const auto last = FindOnce(text, kLastLine);
  if (!name || !last) {
    return tl::make_unexpected((name ? last : name).error());
  }
  if (*last < *name) {
    return Fail(ErrorCode::kInvalidArgument,
                "the template of the AppArmor profile closes it before it begins");
  }
  const std::string profile_name = ProfileName(vm.uuid);
  std::string profile = WithName(text.substr(0, *name + 1), profile_name);
  profile += "@{OPENHOOK_VM}=\"" + vm.uuid + "\"\n";
  profile += "@{OPENHOOK_NAME}=\"" + EscapePath(vm.name) + "\"\n";
  profile += "@{OPENHOOK_SHORT_NAME}=\"" + EscapePath(ShortName(vm.name)) + "\"\n";
  profile += "@{OPENHOOK_ID}=" + (vm.id.empty() ? AnyId() : vm.id) + "\n";
  profile += WithName(text.substr(*name + 1, *last - *name), profile_name);
  for (const auto& [path, access] : rules) {
    profile += RenderRule(path, access);
  }
  profile += WithName(text.substr(*last + 1), profile_name);
  return profile;
}

// A state of the automaton stands for what a path may still become. After a prefix that only some
// rules share, that is one state for each prefix; after any other byte it is a state of the
// template alone. So the rules add no more states than their paths have prefixes.
std::size_t StatesFor(const Rules& rules) {
  std::size_t states = 0;
  std::string_view before;
  for (const auto& [path, access] : rules) {
    states += path.str().size() - SharedPrefix(before, path.str());
    before = path.str();
  }
  return states;
}

Result<void> CheckFits(const Rules& rules) {
  const std::size_t states = StatesFor(rules);
  if (states <= limits::kMaxProfileStates) {
    return {};
  }
  return Fail(ErrorCode::kLimit,
              "the VM's AppArmor profile would be too large: its " + std::to_string(rules.size()) +
                  " files take " + std::to_string(states) +
                  " states of the kernel's automaton, and " +
                  std::to_string(limits::kMaxProfileStates) +
                  " is the limit; revoke leases that are over, or keep the images under shorter "
                  "paths");
}

}  // namespace openhook::apparmor
