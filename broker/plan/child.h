// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhook-plan as a child of this process. It gets one descriptor as its standard input, a pipe
// for its answer, memory for its complaints, an empty environment and no other descriptor; what it
// says is bounded in size and time. It is dead when the object is gone.

#ifndef BROKER_PLAN_CHILD_H_
#define BROKER_PLAN_CHILD_H_

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::plan {

class Child {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  // `word` is its only argument. Errors: the kernel's.
  static Result<Child> Start(const std::string& program, const char* word, const UniqueFd& input);

  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  // The whole answer of a child that ended well. Errors: kUnavailable when it ended otherwise (it
  // says how) or took too long; kCorrupt for an answer without end.
  Result<std::string> Answer(Deadline deadline);

 private:
  Child(std::string program, pid_t pid, UniqueFd answer, UniqueFd complaints)
      : program_(std::move(program)),
        pid_(pid),
        answer_(std::move(answer)),
        complaints_(std::move(complaints)) {}
  std::optional<int> Wait(int flags);
  std::optional<int> WaitUntil(Deadline deadline);
  [[nodiscard]] std::string Complaints() const;

  std::string program_;
  pid_t pid_;
  UniqueFd answer_;
  UniqueFd complaints_;
};

}  // namespace openhook::plan

#endif  // BROKER_PLAN_CHILD_H_
