// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/control_messages.h"

#include <optional>

#include "broker/base/text.h"

namespace openhook::server {

namespace {

using whitelist::GrantAccess;

std::optional<GrantAccess> AccessFromWire(proto::GrantAccess access) {
  switch (access) {
    case proto::GRANT_ACCESS_READ:
      return GrantAccess::kRead;
    case proto::GRANT_ACCESS_READ_WRITE:
      return GrantAccess::kReadWrite;
    case proto::GRANT_ACCESS_CREATE:
      return GrantAccess::kCreate;
    default:
      return std::nullopt;
  }
}

proto::GrantAccess AccessToWire(GrantAccess access) {
  switch (access) {
    case GrantAccess::kRead:
      return proto::GRANT_ACCESS_READ;
    case GrantAccess::kReadWrite:
      return proto::GRANT_ACCESS_READ_WRITE;
    case GrantAccess::kCreate:
      return proto::GRANT_ACCESS_CREATE;
  }
  return proto::GRANT_ACCESS_UNSPECIFIED;
}

proto::FileKind KindToWire(const std::optional<FileIdentity>& identity) {
  if (!identity) {
    return proto::FILE_KIND_ABSENT;
  }
  switch (identity->kind) {
    case FileKind::kRegular:
      return proto::FILE_KIND_REGULAR;
    case FileKind::kBlock:
      return proto::FILE_KIND_BLOCK;
    case FileKind::kCharacter:
      return proto::FILE_KIND_CHARACTER;
    case FileKind::kFifo:
      return proto::FILE_KIND_FIFO;
    case FileKind::kDirectory:
      return proto::FILE_KIND_DIRECTORY;
    case FileKind::kOther:
      break;
  }
  return proto::FILE_KIND_UNSPECIFIED;
}

}  // namespace

Result<std::vector<WantedGrant>> FromWire(
    const google::protobuf::RepeatedPtrField<proto::GrantSpec>& specs) {
  std::vector<WantedGrant> wanted;
  for (const proto::GrantSpec& spec : specs) {
    const auto access = AccessFromWire(spec.access());
    if (!access) {
      return Fail(ErrorCode::kInvalidArgument,
                  "the grant of " + Quote(spec.path()) + " says no access that this broker knows");
    }
    wanted.push_back({spec.path(),
                      {spec.aliases().begin(), spec.aliases().end()},
                      *access,
                      spec.source(),
                      spec.format(),
                      spec.role(),
                      spec.depth(),
                      spec.expected_dev(),
                      spec.expected_ino(),
                      spec.shareable()});
  }
  return wanted;
}

void ToWire(const whitelist::Grant& grant, proto::GrantInfo* info) {
  info->set_id(grant.id);
  info->set_lease(grant.lease);
  info->set_path(grant.path.str());
  for (const std::string& alias : grant.aliases) {
    info->add_aliases(alias);
  }
  info->set_access(AccessToWire(grant.access));
  info->set_kind(KindToWire(grant.identity));
  info->set_source(grant.source);
  info->set_format(grant.format);
  info->set_role(grant.role);
  info->set_depth(grant.depth);
  if (grant.identity) {
    info->set_dev(grant.identity->dev);
    info->set_ino(grant.identity->ino);
    info->set_mount_id(grant.identity->mount_id);
  }
  info->set_created_unix(grant.created_unix);
  info->set_stale(grant.stale);
  info->set_ended_unix(grant.ended_unix);
  info->set_shareable(grant.shareable);
}

void ToWire(const audit::Event& event, proto::Event* message) {
  message->set_seq(event.seq);
  message->set_time_unix_ns(event.time_ns);
  message->set_operation(std::string(ToString(event.operation)));
  message->set_path(event.path);
  message->set_access(std::string(event.access));
  message->set_verdict(std::string(ToString(event.outcome)));
  message->set_rule(std::string(event.rule));
  message->set_reason(event.reason);
  message->set_remedy(std::string(event.remedy));
  if (event.leases) {
    for (const std::string& lease : *event.leases) {
      message->add_leases(lease);
    }
  }
  if (event.subject) {
    message->set_pid(event.subject->pid);
    message->set_uid(event.subject->uid);
    message->set_gid(event.subject->gid);
    message->set_label(Escape(event.subject->label));
  }
  message->set_repeated_times(event.repeated);
}

}  // namespace openhook::server
