// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A JSON object flattened to dotted keys, which is how QEMU reads block options: {"file":
// {"filename": "a"}} and {"file.filename": "a"} are the same, and so are {"server": ["a"]} and
// {"server.0": "a"}. Strings may be in single quotes. Built event by event, without a document tree
// and without recursion. A key that comes twice is refused: readers disagree on which one counts.

#ifndef BROKER_IMAGE_FLAT_JSON_H_
#define BROKER_IMAGE_FLAT_JSON_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "broker/base/result.h"

namespace openhook::image {

struct JsonNull {};
// A boolean, a negative number or a fraction: neither the name of a file nor a place in one.
struct JsonOther {};

using FlatValue = std::variant<std::string, std::uint64_t, JsonNull, JsonOther>;
using FlatJson = std::map<std::string, FlatValue, std::less<>>;

// Errors: kInvalidArgument when `text` is not one JSON object, nests deeper than 64 levels, has a
// key twice or a NUL byte in a string.
Result<FlatJson> ParseFlatJson(std::string_view text);

}  // namespace openhook::image

#endif  // BROKER_IMAGE_FLAT_JSON_H_
