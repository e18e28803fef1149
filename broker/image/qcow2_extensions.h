// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The header extensions of a qcow2 image: a list of {type, length, data padded to 8 bytes} between
// the fixed header and the backing file name (or the end of the first cluster). The padding is not
// part of the length, and the list may fill its space without an end mark: readers that miss either
// point lose the extensions behind it.

#ifndef BROKER_IMAGE_QCOW2_EXTENSIONS_H_
#define BROKER_IMAGE_QCOW2_EXTENSIONS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "broker/base/result.h"
#include "broker/image/byte_window.h"

namespace openhook::image {

enum class Qcow2Crypt : std::uint8_t { kNone = 0, kAes = 1, kLuks = 2 };

struct Qcow2Extensions {
  std::optional<std::string> backing_format;
  std::optional<std::string> data_file;
  std::map<unsigned, std::string> incompatible_names;  // by bit, from the feature name table
};

// Reads the list that begins at `begin` and ends at `end` at the latest.
// Errors: kCorrupt, naming the extension, what it holds and what is allowed.
Result<Qcow2Extensions> ReadQcow2Extensions(ByteWindow& window, std::uint64_t begin,
                                            std::uint64_t end, Qcow2Crypt crypt);

}  // namespace openhook::image

#endif  // BROKER_IMAGE_QCOW2_EXTENSIONS_H_
