// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Cuts a monitor's byte streams into messages without changing a byte. A manager may write its
// commands over several lines or several into one; QEMU writes one message to a line. Bounded, and
// free of I/O.

#ifndef BROKER_RELAY_FRAMING_H_
#define BROKER_RELAY_FRAMING_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"

namespace openhook::relay {

// The manager's side. A frame is one JSON object or array with the blanks before it and, as far as
// they came with it, the rest of its line; or a line of something that is neither.
class CommandFramer {
 public:
  // Takes all of `bytes`; complete frames are added to `frames`. Errors: kLimit and kCorrupt for a
  // stream that cannot be followed any more; nothing may be added after one.
  Result<void> Add(std::string_view bytes, std::vector<std::string>* frames);

 private:
  Result<void> Take(char c);
  bool FrameEnds(char c) const;
  // The blanks up to the end of the line, taken off `bytes`.
  static std::string_view TakeLineEnd(std::string_view* bytes);

  enum class In : std::uint8_t { kBlanks, kJson, kString, kEscape, kJunk };
  In in_ = In::kBlanks;
  std::string frame_;
  std::string closers_;  // of the brackets that are open, the innermost last
};

// QEMU's side. Lines with their ends; a line beyond limits::kMaxMonitorLine comes in pieces that
// are not to be looked at.
class LineSplitter {
 public:
  struct Line {
    std::string bytes;
    bool whole = true;
  };
  void Add(std::string_view bytes, std::vector<Line>* lines);

 private:
  std::string line_;
  bool oversized_ = false;
};

}  // namespace openhook::relay

#endif  // BROKER_RELAY_FRAMING_H_
