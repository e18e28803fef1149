// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/plan_output.h"

#include "broker/ctl/table.h"

namespace openhook::ctl {

namespace {

// A word of the definition: escaped where it is not UTF-8, which it can be in a path alone.
Json GrantToJson(const PlannedGrant& grant) {
  Json json;
  SetPath(&json, "path", grant.path);
  SetPath(&json, "requested", grant.requested);
  json["access"] = ToString(grant.access);
  json["kind"] = ToString(grant.kind);
  json["source"] = grant.source;
  json["depth"] = grant.depth;
  json["format"] = grant.format;
  json["exists"] = grant.exists;
  json["role"] = grant.role;
  json["disk"] = grant.disk;
  json["shareable"] = grant.shareable;
  return json;
}

}  // namespace

Json PlanToJson(const HostPlan& plan) {
  Json json;
  json["uuid"] = plan.uuid;
  json["name"] = plan.name;
  json["grants"] = Json::array();
  for (const PlannedGrant& grant : plan.grants) {
    json["grants"].push_back(GrantToJson(grant));
  }
  json["network"] = Json::array();
  for (const domain::NetworkTarget& target : plan.network) {
    json["network"].push_back(
        {{"name", target.name}, {"source", target.source}, {"depth", target.depth}});
  }
  json["warnings"] = plan.warnings;
  json["refused"] = Json::array();
  for (const domain::Refusal& refusal : plan.refused) {
    Json refused;
    SetPath(&refused, "path", refusal.path);
    refused["source"] = refusal.source;
    refused["reason"] = refusal.reason;
    json["refused"].push_back(std::move(refused));
  }
  return json;
}

std::string RenderPlan(const HostPlan& plan) {
  Table table({{"ACCESS"},
               {"KIND"},
               {"THERE"},
               {"DEPTH", Align::kRight},
               {"FORMAT"},
               {"SOURCE"},
               {"PATH"}});
  for (const PlannedGrant& grant : plan.grants) {
    table.AddRow({std::string(ToString(grant.access)) + (grant.shareable ? ", shareable" : ""),
                  std::string(ToString(grant.kind)), grant.exists ? "yes" : "no",
                  grant.role.empty() ? "" : std::to_string(grant.depth), grant.format, grant.source,
                  grant.path});
    if (grant.requested != grant.path) {
      table.AddRow({" ", " ", " ", " ", " ", "also as", grant.requested});
    }
  }
  for (const domain::NetworkTarget& target : plan.network) {
    table.AddRow({"network", "", "", std::to_string(target.depth), "", target.source, target.name});
  }
  return table.Render();
}

}  // namespace openhook::ctl
