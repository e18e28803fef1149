// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/grant_resolver.h"

#include <algorithm>
#include <ctime>

#include "broker/base/canonical_path.h"
#include "broker/base/text.h"

namespace openhook::server {

namespace {

using whitelist::Grant;
using whitelist::GrantAccess;

Result<worker::PinWish> WishFor(const WantedGrant& wanted) {
  worker::PinWish wish;
  auto clean = LexicalClean(wanted.path, "");
  if (!clean) {
    return Fail(ErrorCode::kInvalidArgument,
                "cannot grant " + Quote(wanted.path) + ": " + clean.error().context);
  }
  wish.path = std::move(*clean);
  for (const std::string& alias : wanted.aliases) {
    auto name = LexicalClean(alias, "");
    if (!name) {
      return tl::make_unexpected(name.error());
    }
    wish.aliases.push_back(std::move(*name));
  }
  wish.new_name =
      wanted.access == GrantAccess::kCreate ? worker::NewName::kAllowed : worker::NewName::kRefused;
  wish.expected_dev = wanted.expected_dev;
  wish.expected_ino = wanted.expected_ino;
  return wish;
}

void AddAlias(const std::string& name, Grant* grant) {
  // It was cleaned without an error before.
  const std::string clean = LexicalClean(name, "").value_or(name);
  if (clean != grant->path.str() &&
      std::find(grant->aliases.begin(), grant->aliases.end(), clean) == grant->aliases.end()) {
    grant->aliases.push_back(clean);
  }
}

Grant GrantFrom(const WantedGrant& wanted, const std::string& lease, worker::Pinned pinned) {
  Grant grant{.path = std::move(pinned.path)};
  grant.identity = std::move(pinned.identity);
  grant.directory = std::move(pinned.directory);
  grant.may_block = pinned.may_block;
  AddAlias(wanted.path, &grant);
  for (const std::string& alias : wanted.aliases) {
    AddAlias(alias, &grant);
  }
  grant.lease = lease;
  grant.access = wanted.access;
  grant.source = wanted.source;
  grant.format = wanted.format;
  grant.role = wanted.role;
  grant.depth = wanted.depth;
  grant.shareable = wanted.shareable;
  grant.created_unix = ::time(nullptr);
  return grant;
}

}  // namespace

Result<worker::PinJob> PinJobFor(const std::vector<WantedGrant>& wanted, const Options& options) {
  worker::PinJob job;
  job.forbidden = {options.state_dir, options.run_dir, options.LockDir()};
  for (const WantedGrant& one : wanted) {
    auto wish = WishFor(one);
    if (!wish) {
      return tl::make_unexpected(wish.error());
    }
    job.wishes.push_back(std::move(*wish));
  }
  return job;
}

std::vector<Grant> GrantsFrom(const std::vector<WantedGrant>& wanted, const std::string& lease,
                              std::vector<worker::Pinned> pinned) {
  CheckOrDie(wanted.size() == pinned.size(), "every wanted grant was looked at");
  std::vector<Grant> grants;
  grants.reserve(wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    grants.push_back(GrantFrom(wanted[i], lease, std::move(pinned[i])));
  }
  return grants;
}

}  // namespace openhook::server
