// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/aa_helper/broker_leases.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "broker/ctl/plan_grants.h"
#include "broker/fs/resolve.h"

namespace openhook::aa_helper {

namespace {

constexpr std::string_view kAppendedPrefix = "appended:";
// Of one request, far below the size of a packet.
constexpr std::size_t kRequestBytes = std::size_t{32} << 10;

// FNV-1a: a name for a path that may be longer than a lease's name.
std::uint64_t HashOf(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char byte : text) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211ULL;
  }
  return hash;
}

bool CanBeGranted(const Rule& rule) {
  if (rule.IsPattern()) {
    return false;
  }
  const auto file = fs::ResolveFollowing(rule.path);
  return file && file->identity.kind != FileKind::kOther &&
         file->identity.kind != FileKind::kDirectory;
}

}  // namespace

std::string AppendedLeaseName(const std::string& path) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  constexpr int kTopNibble = 60;
  std::string name(kAppendedPrefix);
  for (int shift = kTopNibble; shift >= 0; shift -= 4) {
    name += kDigits[(HashOf(path) >> static_cast<unsigned>(shift)) & 0xFU];
  }
  return name;
}

std::vector<proto::GrantSpec> DomainGrants(const ctl::HostPlan& plan) {
  std::map<std::string, proto::GrantSpec> by_path;
  for (proto::GrantRequest& request : ctl::GrantsOfPlan(plan).requests) {
    for (proto::GrantSpec& grant : *request.mutable_grants()) {
      const auto [place, added] = by_path.emplace(grant.path(), grant);
      if (added) {
        continue;
      }
      proto::GrantSpec& same = place->second;
      same.set_access(std::max(same.access(), grant.access()));
      for (const std::string& alias : grant.aliases()) {
        if (std::find(same.aliases().begin(), same.aliases().end(), alias) ==
            same.aliases().end()) {
          same.add_aliases(alias);
        }
      }
    }
  }
  std::vector<proto::GrantSpec> grants;
  grants.reserve(by_path.size());
  for (auto& [path, grant] : by_path) {
    grants.push_back(std::move(grant));
  }
  return grants;
}

Leases AppendedLeases(const std::vector<Appended>& appended) {
  Leases leases;
  for (const Appended& one : appended) {
    if (!CanBeGranted(one.rule)) {
      continue;
    }
    proto::GrantSpec grant;
    grant.set_path(one.rule.path);
    grant.set_access(one.rule.perms.find('w') == std::string::npos
                         ? proto::GRANT_ACCESS_READ
                         : proto::GRANT_ACCESS_READ_WRITE);
    grant.set_source("appended by libvirt");
    leases[AppendedLeaseName(one.rule.path)].push_back(std::move(grant));
  }
  return leases;
}

Result<std::optional<BrokerLeases>> BrokerLeases::Connect(const std::string& run_dir,
                                                          const std::string& uuid) {
  auto client =
      client::ControlClient::Connect(run_dir + "/" + uuid + "/control.sock", "openhook-aa-helper");
  if (!client && client.error().code == ErrorCode::kNotFound) {
    return std::nullopt;
  }
  if (!client) {
    return tl::make_unexpected(client.error());
  }
  BrokerLeases leases(std::move(*client));
  proto::ControlRequest request;
  request.mutable_status();
  const auto status = leases.client_.Call(std::move(request));
  if (!status) {
    return tl::make_unexpected(status.error());
  }
  leases.keeps_profile_ = !status->status().profile().empty();
  return std::optional(std::move(leases));
}

Result<std::vector<proto::GrantInfo>> BrokerLeases::List() {
  std::vector<proto::GrantInfo> grants;
  for (bool more = true; more;) {
    proto::ControlRequest request;
    request.mutable_list()->set_after_id(grants.empty() ? 0 : grants.back().id());
    const auto reply = client_.Call(std::move(request));
    if (!reply) {
      return tl::make_unexpected(reply.error());
    }
    more = reply->list().more() && !reply->list().grants().empty();
    grants.insert(grants.end(), reply->list().grants().begin(), reply->list().grants().end());
  }
  return grants;
}

Result<void> BrokerLeases::Grant(const std::string& lease,
                                 const std::vector<proto::GrantSpec>& grants) {
  proto::ControlRequest request;
  for (std::size_t i = 0; i < grants.size(); ++i) {
    request.mutable_grant()->set_lease(lease);
    *request.mutable_grant()->add_grants() = grants[i];
    if (request.ByteSizeLong() < kRequestBytes && i + 1 < grants.size()) {
      continue;
    }
    if (const auto reply = client_.Call(std::move(request)); !reply) {
      return tl::make_unexpected(reply.error());
    }
    request = proto::ControlRequest();
  }
  return {};
}

Result<void> BrokerLeases::Revoke(const std::string& lease, const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    proto::ControlRequest request;
    request.mutable_revoke()->set_lease(lease);
    request.mutable_revoke()->add_paths(path);
    if (const auto reply = client_.Call(std::move(request)); !reply) {
      return tl::make_unexpected(reply.error());
    }
  }
  return {};
}

Result<void> BrokerLeases::Set(const std::optional<std::vector<proto::GrantSpec>>& domain,
                               const Leases& appended) {
  Leases wanted = appended;
  if (domain) {
    wanted[kDomainLease] = *domain;
  }
  for (const auto& [lease, grants] : wanted) {
    if (auto granted = Grant(lease, grants); !granted) {
      return granted;
    }
  }
  const auto given = List();
  if (!given) {
    return tl::make_unexpected(given.error());
  }
  std::map<std::string, std::vector<std::string>> over;
  for (const proto::GrantInfo& grant : *given) {
    const bool ours =
        grant.lease().starts_with(kAppendedPrefix) || (domain && grant.lease() == kDomainLease);
    const auto& still = wanted[grant.lease()];
    const bool needed = std::any_of(still.begin(), still.end(), [&](const proto::GrantSpec& spec) {
      return spec.path() == grant.path();
    });
    if (ours && !needed && grant.ended_unix() == 0) {
      over[grant.lease()].push_back(grant.path());
    }
  }
  for (const auto& [lease, paths] : over) {
    if (auto revoked = Revoke(lease, paths); !revoked) {
      return revoked;
    }
  }
  return {};
}

}  // namespace openhook::aa_helper
