// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How an operation that can fail says so. Three kinds are never mixed:
//   denied  the policy says no: a whitelist::Decision, an ordinary answer;
//   failed  something did not work: an Error in a Result<T>;
//   bug     an invariant of ours is broken: CheckOrDie(), the process ends.
// No exception crosses a room's edge.

#ifndef BROKER_BASE_RESULT_H_
#define BROKER_BASE_RESULT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace openhook {

enum class ErrorCode : std::uint8_t {
  kInvalidArgument,  // the caller's words are off; repeating them will not help
  kNotFound,         // the named thing does not exist
  kPermission,       // the kernel refused us (not a policy decision of ours)
  kConflict,         // it exists, but is not what was expected (changed, busy, other identity)
  kCorrupt,          // stored or foreign data does not follow its format
  kUnsupported,      // well formed, but nothing we can do
  kLimit,            // a documented limit would be passed
  kUnavailable,      // the other side is not there now; a later try may work
  kIo,               // any other failing system call
};

std::string_view ToString(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kIo;
  int sys_errno = 0;    // errno of the failing call, 0 where none was involved
  std::string context;  // a sentence for people: what was tried, on what, and the remedy

  // The context, followed by the text of sys_errno where there is one.
  [[nodiscard]] std::string Message() const;
};

template <class T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> Fail(ErrorCode code, std::string context) {
  return tl::make_unexpected(Error{code, 0, std::move(context)});
}

// An Error from errno: the code follows from it (ENOENT and ENOTDIR: kNotFound; EACCES and EPERM:
// kPermission; ELOOP and ESTALE: kConflict; ...).
[[nodiscard]] Error ErrnoError(int sys_errno, std::string context);
[[nodiscard]] tl::unexpected<Error> FailErrno(int sys_errno, std::string context);

// Ends the process when an invariant of ours does not hold. Never used on anybody's input.
void CheckOrDie(bool invariant, const char* what);

}  // namespace openhook

#endif  // BROKER_BASE_RESULT_H_
