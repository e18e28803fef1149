// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The machine-readable output: one function for each shape that docs/cli.md promises. Shapes are
// stable; new fields may be added, none changes its meaning or goes away.
//
// A path is bytes and JSON is UTF-8. A path that is UTF-8 stands as it is; any other is escaped
// as in the tables (\xHH), and a second field with the suffix "_hex" gives the exact bytes.

#ifndef BROKER_CTL_JSON_OUTPUT_H_
#define BROKER_CTL_JSON_OUTPUT_H_

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "proto/control.pb.h"

namespace openhook::ctl {

using Json = nlohmann::ordered_json;  // keeps the documented order of fields

// Sets `name` (and `name`_hex where the bytes are not UTF-8).
void SetPath(Json* object, const std::string& name, std::string_view path);

Json GrantToJson(const proto::GrantInfo& grant);
Json GrantsToJson(const google::protobuf::RepeatedPtrField<proto::GrantInfo>& grants);
Json EventToJson(const proto::Event& event);
Json ChangeToJson(const proto::ChangeReply& change);
Json JobToJson(const proto::JobInfo& job);
Json JobReplyToJson(const proto::JobReply& reply);
Json ChainRecordToJson(const proto::ChainInfo& chain);
Json HoldersToJson(std::string_view path, const proto::HoldersReply& reply);
Json ExplainToJson(std::string_view path, const proto::ExplainReply& explained);
// Without the fields on Landlock, which cmd_status adds.
Json StatusToJson(const proto::StatusReply& status);

// One line, ASCII only: whatever a peer put into a string cannot disturb a terminal.
std::string Dump(const Json& value);

}  // namespace openhook::ctl

#endif  // BROKER_CTL_JSON_OUTPUT_H_
