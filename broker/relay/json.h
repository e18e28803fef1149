// SPDX-License-Identifier: LGPL-2.1-or-later
//
// JSON that two readers cannot understand differently: strict grammar, valid UTF-8, no key twice.
// QEMU takes more (single quotes, for one); what only QEMU would take is refused here.

#ifndef BROKER_RELAY_JSON_H_
#define BROKER_RELAY_JSON_H_

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "broker/base/result.h"

namespace openhook::relay {

using Json = nlohmann::json;

// `text` must nest no deeper than framing lets it. Errors: kCorrupt.
Result<Json> ParseStrict(std::string_view text);

// The member of an object, where it is there and of that type; else the default.
std::string StringAt(const Json& object, const char* key, const std::string& otherwise = "");
bool BoolAt(const Json& object, const char* key, bool otherwise);
// Null where it is no object.
const Json& ObjectAt(const Json& object, const char* key);

// The error of a monitor's answer, as one line. `id`: of the command, null for none.
std::string ErrorAnswer(const Json* id, const std::string& reason);

}  // namespace openhook::relay

#endif  // BROKER_RELAY_JSON_H_
