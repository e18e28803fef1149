// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The relay's memory beyond its own death: a file without a name that the keeper holds. A text is
// written beside the one before and made the valid one by a single byte, so that whoever reads it
// after a SIGKILL finds the old text or the new one.

#ifndef BROKER_RELAY_MEMORY_H_
#define BROKER_RELAY_MEMORY_H_

#include <string>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::relay {

class Memory {
 public:
  // Errors: the kernel's.
  static Result<Memory> Make();

  // Errors: kLimit for a text beyond kMaxBytes; the kernel's.
  Result<void> Write(const std::string& text);
  // What was written last; empty before the first.
  [[nodiscard]] Result<std::string> Read() const;

  static constexpr std::size_t kMaxBytes = std::size_t{16} << 20;

 private:
  explicit Memory(UniqueFd file) : file_(std::move(file)) {}
  [[nodiscard]] Result<unsigned char> ValidSlot() const;

  UniqueFd file_;
};

}  // namespace openhook::relay

#endif  // BROKER_RELAY_MEMORY_H_
