// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/relay/json.h"

#include <set>
#include <vector>

namespace openhook::relay {

Result<Json> ParseStrict(std::string_view text) {
  std::vector<std::set<std::string>> keys;
  bool twice = false;
  const auto watch = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) {
      keys.emplace_back();
    } else if (event == Json::parse_event_t::object_end) {
      keys.pop_back();
    } else if (event == Json::parse_event_t::key) {
      twice = !keys.back().insert(parsed.get<std::string>()).second || twice;
    }
    return true;
  };
  Json parsed = Json::parse(text, watch, false);
  if (parsed.is_discarded()) {
    return Fail(ErrorCode::kCorrupt,
                "the command is not JSON as RFC 8259 defines it (double quotes, valid UTF-8)");
  }
  if (twice) {
    return Fail(ErrorCode::kCorrupt, "an object of the command has a key twice");
  }
  if (!parsed.is_object()) {
    return Fail(ErrorCode::kCorrupt, "the command is not a JSON object");
  }
  return parsed;
}

std::string StringAt(const Json& object, const char* key, const std::string& otherwise) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : otherwise;
}

bool BoolAt(const Json& object, const char* key, bool otherwise) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_boolean() ? found->get<bool>() : otherwise;
}

const Json& ObjectAt(const Json& object, const char* key) {
  static const Json none;
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_object() ? *found : none;
}

std::string ErrorAnswer(const Json* id, const std::string& reason) {
  Json answer = {{"error", {{"class", "GenericError"}, {"desc", reason}}}};
  if (id != nullptr) {
    answer["id"] = *id;
  }
  return answer.dump(-1, ' ', true, Json::error_handler_t::replace) + "\r\n";
}

}  // namespace openhook::relay
