// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/json_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "broker/base/text.h"
#include "broker/ctl/words.h"

namespace openhook::ctl {

namespace {

bool IsUtf8(std::string_view bytes) {
  // The library checks, without its exceptions: where a byte is invalid, one of these modes drops
  // it and the other puts U+FFFD in its place.
  const Json text = std::string(bytes);
  const std::string kept = text.dump(-1, ' ', false, Json::error_handler_t::ignore);
  const std::string replaced = text.dump(-1, ' ', false, Json::error_handler_t::replace);
  return kept == replaced;
}

std::string Hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  }
  return text;
}

template <class Repeated>
Json Strings(const Repeated& values) {
  Json list = Json::array();
  for (const auto& value : values) {
    list.push_back(value);
  }
  return list;
}

template <class Repeated, class Convert>
Json Objects(const Repeated& values, Convert convert) {
  Json list = Json::array();
  for (const auto& value : values) {
    list.push_back(convert(value));
  }
  return list;
}

// As SetPath(), for a list: the second list has all of them, in the same order.
void SetAliases(Json* object, const proto::GrantInfo& grant) {
  const auto& aliases = grant.aliases();
  (*object)["aliases"] = Objects(
      aliases, [](const std::string& alias) { return IsUtf8(alias) ? alias : Escape(alias); });
  if (!std::all_of(aliases.begin(), aliases.end(), IsUtf8)) {
    (*object)["aliases_hex"] = Objects(aliases, Hex);
  }
}

}  // namespace

void SetPath(Json* object, const std::string& name, std::string_view path) {
  if (IsUtf8(path)) {
    (*object)[name] = path;
    return;
  }
  (*object)[name] = Escape(path);
  (*object)[name + "_hex"] = Hex(path);
}

Json GrantToJson(const proto::GrantInfo& grant) {
  Json json;
  json["id"] = grant.id();
  json["lease"] = grant.lease();
  SetPath(&json, "path", grant.path());
  SetAliases(&json, grant);
  json["access"] = AccessWord(grant.access());
  json["kind"] = KindWord(grant.kind());
  json["source"] = grant.source();
  json["format"] = grant.format();
  json["role"] = grant.role();
  json["depth"] = grant.depth();
  json["dev"] = grant.dev();
  json["ino"] = grant.ino();
  json["mount_id"] = grant.mount_id();
  json["created"] = TimeFromSeconds(grant.created_unix());
  json["stale"] = grant.stale();
  json["ended"] = grant.ended_unix() != 0;
  json["shareable"] = grant.shareable();
  return json;
}

Json GrantsToJson(const google::protobuf::RepeatedPtrField<proto::GrantInfo>& grants) {
  return Objects(grants, GrantToJson);
}

Json EventToJson(const proto::Event& event) {
  Json json;
  json["seq"] = event.seq();
  json["time"] = TimeFromNanoseconds(event.time_unix_ns());
  json["operation"] = event.operation();
  SetPath(&json, "path", event.path());
  json["access"] = event.access();
  json["verdict"] = event.verdict();
  json["rule"] = event.rule();
  json["reason"] = event.reason();
  json["remedy"] = event.remedy();
  json["leases"] = Strings(event.leases());
  json["pid"] = event.pid();
  json["uid"] = event.uid();
  json["gid"] = event.gid();
  json["label"] = event.label();
  json["repeated"] = event.repeated_times();
  return json;
}

Json ChangeToJson(const proto::ChangeReply& change) {
  Json json;
  json["generation"] = change.generation();
  json["grants"] = GrantsToJson(change.grants());
  json["still_held"] = GrantsToJson(change.still_held());
  return json;
}

Json JobToJson(const proto::JobInfo& job) {
  Json json;
  json["id"] = job.id();
  json["kind"] = JobKindWord(job.kind());
  json["state"] = JobStateWord(job.state());
  SetPath(&json, "disk", job.disk());
  SetPath(&json, "top", job.top());
  SetPath(&json, "base", job.base());
  json["write"] = job.write();
  json["shallow"] = job.shallow();
  json["targets"] = Objects(
      job.targets(), [](const std::string& path) { return IsUtf8(path) ? path : Escape(path); });
  json["owner"] = job.owner();
  json["owner_pid"] = job.owner_pid();
  json["owner_state"] = JobOwnerStateWord(job.owner_state());
  json["started"] = TimeFromSeconds(job.started_unix());
  json["ended"] = job.ended_unix() == 0 ? Json(nullptr) : Json(TimeFromSeconds(job.ended_unix()));
  return json;
}

Json JobReplyToJson(const proto::JobReply& reply) {
  Json json;
  json["job"] = JobToJson(reply.job());
  json["change"] = ChangeToJson(reply.change());
  return json;
}

Json ChainRecordToJson(const proto::ChainInfo& chain) {
  Json json;
  SetPath(&json, "disk", chain.disk());
  json["lease"] = chain.lease();
  json["writable"] = chain.writable();
  json["images"] = Objects(chain.images(), [](const proto::ChainImage& image) {
    Json one;
    SetPath(&one, "path", image.path());
    one["format"] = image.format();
    one["parts"] = Objects(
        image.parts(), [](const std::string& path) { return IsUtf8(path) ? path : Escape(path); });
    return one;
  });
  return json;
}

Json HoldersToJson(std::string_view path, const proto::HoldersReply& reply) {
  Json json;
  SetPath(&json, "path", path);
  json["holders"] = Objects(reply.holders(), [](const proto::HoldersReply::Holder& holder) {
    return Json{{"pid", holder.pid()},
                {"program", holder.program()},
                {"access", holder.write() ? "read-write" : "read"}};
  });
  json["grants"] = GrantsToJson(reply.grants());
  return json;
}

Json ExplainToJson(std::string_view path, const proto::ExplainReply& explained) {
  std::set<std::string> leases;
  for (const proto::GrantInfo& grant : explained.grants()) {
    leases.insert(grant.lease());
  }
  Json json;
  json["decision"] = explained.allow() ? "allow" : "deny";
  SetPath(&json, "path", path);
  json["rule"] = explained.rule();
  json["reason"] = explained.reason();
  json["remedy"] = explained.remedy();
  json["leases"] = Strings(leases);
  json["grants"] = GrantsToJson(explained.grants());
  json["recent"] = Objects(explained.recent(), EventToJson);
  return json;
}

Json StatusToJson(const proto::StatusReply& status) {
  Json json;
  json["vm"] = status.vm();
  json["version"] = status.version();
  json["pid"] = status.pid();
  json["started"] = TimeFromSeconds(status.started_unix());
  json["generation"] = status.generation();
  json["grants"] = status.grants();
  json["leases"] = status.leases();
  json["created_files"] = status.created_files();
  json["open_sessions"] = status.open_sessions();
  json["decisions"] = {
      {"allowed", status.allowed()}, {"denied", status.denied()}, {"failed", status.failed()}};
  json["state_dir"] = status.state_dir();
  json["run_dir"] = status.run_dir();
  json["vm_uid"] = status.vm_uid();
  json["peer_label_demanded"] = !status.peer_label().empty();
  json["peer_label"] = status.peer_label();
  json["security_module"] = status.security_module();
  json["label_level"] = status.label_level();
  json["label_sentence"] = status.label_sentence();
  json["running_jobs"] = status.running_jobs();
  json["ended_held"] = status.ended_held();
  json["profile"] = {{"name", status.profile()},
                     {"in_step", status.profile_in_step()},
                     {"files", status.profile_rules()},
                     {"revision", status.profile_revision()},
                     {"fault", status.profile_fault()}};
  json["drift"] = status.drift();
  json["path_resolution"] = status.openat2();
  json["workers"] = {{"busy", status.workers_busy()},
                     {"stuck", status.workers_stuck()},
                     {"waiting", status.requests_waiting()},
                     {"deadline", status.io_deadline()}};
  return json;
}

std::string Dump(const Json& value) {
  return value.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace openhook::ctl
