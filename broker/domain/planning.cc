// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/domain/planning.h"

#include <algorithm>

#include "broker/base/canonical_path.h"
#include "broker/base/limits.h"
#include "broker/base/text.h"

namespace openhook::domain {

namespace {

// As libvirt cuts it: virDomainDefGetShortName().
constexpr std::size_t kShortNameBytes = 20;

std::string ShortName(std::string_view id, std::string_view name) {
  if (id.empty() || id.find_first_not_of("0123456789") != std::string_view::npos) {
    return {};
  }
  // Not in the middle of a character.
  std::size_t size = std::min(name.size(), kShortNameBytes);
  while (size < name.size() && size > 0 &&
         (static_cast<unsigned char>(name[size]) & 0xc0) == 0x80) {
    --size;
  }
  return std::string(id) + "-" + std::string(name.substr(0, size));
}

std::string KeyOf(const WantedFile& file) {
  std::string key(ToString(file.access));
  key += ToString(file.kind);
  key += std::to_string(file.depth);
  key += ToString(file.role);
  // No slash is in the name of a disk that libvirt accepts, and an absolute path begins with one.
  return key + file.disk + file.path;
}

}  // namespace

std::string Shown(std::string_view name) {
  constexpr std::size_t kShownBytes = 64;
  return Escape(name, kShownBytes);
}

Planning::Planning(const Element& domain) : type_(domain.Attribute("type")) {
  plan_.name = domain.TextOf("name");
  plan_.uuid = domain.TextOf("uuid");
  plan_.short_name = ShortName(domain.Attribute("id"), plan_.name);
}

bool Planning::HasRoom() { return ++count_ <= limits::kMaxPlanned; }

void Planning::Add(WantedFile file) {
  if (file.path.empty() || !HasRoom()) {
    return;
  }
  if (file.path.front() != '/') {
    return Refuse(file.path, file.source,
                  "is not absolute, and which directory it begins at is not known; write it from "
                  "'/' on");
  }
  if (const auto clean = LexicalClean(file.path, "/"); !clean) {
    return Refuse(file.path, file.source, "cannot be a path: " + clean.error().context);
  }
  if (seen_.insert(KeyOf(file)).second) {
    plan_.files.push_back(std::move(file));
  }
}

void Planning::AddDevice(DeviceQuestion question) {
  if (HasRoom()) {
    plan_.devices.push_back(std::move(question));
  }
}

void Planning::AddNetwork(NetworkTarget target) {
  if (HasRoom()) {
    plan_.network.push_back(std::move(target));
  }
}

void Planning::Refuse(std::string_view path, std::string_view source, std::string reason) {
  if (HasRoom()) {
    plan_.refused.push_back({std::string(path), std::string(source), std::move(reason)});
  }
}

void Planning::Warn(std::string_view source, std::string_view sentence) {
  if (HasRoom()) {
    plan_.warnings.push_back(std::string(source) + ": " + std::string(sentence));
  }
}

void Planning::WarnUnknownType(std::string_view source, std::string_view type) {
  Warn(source, "type " + Quote(type, 64) + " is not known; what it opens is not in this plan");
}

void Planning::AddCharacterDevice(std::string_view path, std::string_view source) {
  Add({.path = std::string(path),
       .access = Access::kReadWrite,
       .kind = Kind::kCharacter,
       .source = std::string(source)});
}

void Planning::AddVfio(std::string_view source) { AddCharacterDevice("/dev/vfio/vfio", source); }

Result<Plan> Planning::Finish() {
  if (count_ > limits::kMaxPlanned) {
    return Fail(ErrorCode::kLimit, "the definition wants more than " +
                                       std::to_string(limits::kMaxPlanned) + " things");
  }
  return std::move(plan_);
}

}  // namespace openhook::domain
