// SPDX-License-Identifier: LGPL-2.1-or-later

#include "policy/loader/rule_list.h"

#include <utility>

#include "broker/base/forbidden_paths.h"
#include "broker/base/limits.h"
#include "broker/base/text.h"
#include "proto/loader.pb.h"

namespace openhook::loader {

namespace {

std::optional<apparmor::RuleAccess> FromWire(int access) {
  switch (access) {
    case proto::PROFILE_ACCESS_READ:
      return apparmor::RuleAccess::kRead;
    case proto::PROFILE_ACCESS_READ_WRITE:
      return apparmor::RuleAccess::kReadWrite;
    default:
      return std::nullopt;
  }
}

}  // namespace

void RuleList::Forget() {
  begun_ = false;
  path_bytes_ = 0;
  list_ = {};
}

Result<std::optional<RuleList::Complete>> RuleList::Add(std::span<const std::uint8_t> packet) {
  const auto more = AddPacket(packet);
  if (!more) {
    Forget();
    return tl::make_unexpected(more.error());
  }
  if (*more) {
    return std::optional<Complete>();
  }
  Complete complete = std::move(list_);
  Forget();
  if (auto fits = apparmor::CheckFits(complete.rules); !fits) {
    return tl::make_unexpected(fits.error());
  }
  return std::optional<Complete>(std::move(complete));
}

Result<bool> RuleList::AddPacket(std::span<const std::uint8_t> packet) {
  proto::LoaderRequest request;
  last_id_ = 0;
  if (!request.ParseFromArray(packet.data(), static_cast<int>(packet.size()))) {
    return Fail(ErrorCode::kInvalidArgument, "the packet is not a request for a profile");
  }
  last_id_ = request.id();
  if (request.profile() != profile_) {
    return Fail(ErrorCode::kPermission, "this loader was started for " + profile_ +
                                            "; it does not load the profile " +
                                            Quote(request.profile()));
  }
  if (request.id() == 0 || (begun_ && request.id() != list_.id)) {
    return Fail(ErrorCode::kInvalidArgument,
                "the packet belongs to another list of rules than the one before it, or to none");
  }
  begun_ = true;
  list_.id = request.id();
  for (const proto::ProfileRule& rule : request.rules()) {
    if (auto added = AddRule(rule.path(), rule.access()); !added) {
      return tl::make_unexpected(added.error());
    }
  }
  return request.more();
}

Result<void> RuleList::AddRule(const std::string& path, int access) {
  path_bytes_ += path.size();
  if (path_bytes_ > limits::kMaxProfilePathBytes) {
    return Fail(ErrorCode::kLimit, "the paths of a profile have at most " +
                                       std::to_string(limits::kMaxProfilePathBytes) +
                                       " bytes together");
  }
  auto canonical = CanonicalPath::Parse(path);
  if (!canonical) {
    return tl::make_unexpected(canonical.error());
  }
  const auto wanted = FromWire(access);
  if (!wanted || canonical->IsRoot()) {
    return Fail(ErrorCode::kInvalidArgument,
                "a rule needs a file and a known access, unlike the one for " + Quote(path));
  }
  if (auto allowed = CheckNotForbidden(*canonical, forbidden_); !allowed) {
    return allowed;
  }
  if (!list_.rules.emplace(std::move(*canonical), *wanted).second) {
    return Fail(ErrorCode::kInvalidArgument, "the list names " + Quote(path) + " twice");
  }
  return {};
}

}  // namespace openhook::loader
