// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Starts the process that parses headers, and sees to its end.

#ifndef BROKER_CHAIN_READER_PROCESS_H_
#define BROKER_CHAIN_READER_PROCESS_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>

#include "broker/base/result.h"
#include "broker/chain/reader_channel.h"
#include "broker/image/chain.h"

namespace openhook::chain {

class ReaderProcess {
 public:
  // Forks; to be called from a process with one thread. Errors: the kernel's.
  static Result<ReaderProcess> Start(const std::string& image,
                                     std::optional<image::Format> declared,
                                     image::Reach reach = image::Reach::kWholeChain);
  // Kills it, if it has not ended yet, and waits for it.
  ~ReaderProcess();
  ReaderProcess(ReaderProcess&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)), channel_(std::move(other.channel_)) {}
  ReaderProcess& operator=(ReaderProcess&&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  ReaderChannel* channel() { return &channel_; }

 private:
  ReaderProcess(pid_t pid, UniqueFd socket) : pid_(pid), channel_(std::move(socket)) {}

  pid_t pid_;
  ReaderChannel channel_;
};

}  // namespace openhook::chain

#endif  // BROKER_CHAIN_READER_PROCESS_H_
