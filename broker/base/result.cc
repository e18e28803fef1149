// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/base/result.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace openhook {

namespace {

ErrorCode CodeFromErrno(int sys_errno) {
  switch (sys_errno) {
    case ENOENT:
    case ENOTDIR:
      return ErrorCode::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorCode::kPermission;
    case ELOOP:
    case ESTALE:
    case EEXIST:
    case EBUSY:
      return ErrorCode::kConflict;
    case ENAMETOOLONG:
    case EINVAL:
      return ErrorCode::kInvalidArgument;
    case EMFILE:
    case ENFILE:
    case ENOSPC:
    case EDQUOT:
      return ErrorCode::kLimit;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case EAGAIN:
      return ErrorCode::kUnavailable;
    case ENOSYS:
    case EOPNOTSUPP:
      return ErrorCode::kUnsupported;
    default:
      return ErrorCode::kIo;
  }
}

}  // namespace

std::string_view ToString(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "invalid-argument";
    case ErrorCode::kNotFound:
      return "not-found";
    case ErrorCode::kPermission:
      return "permission";
    case ErrorCode::kConflict:
      return "conflict";
    case ErrorCode::kCorrupt:
      return "corrupt";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kLimit:
      return "limit";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kIo:
      return "io";
  }
  return "unknown";
}

std::string Error::Message() const {
  if (sys_errno == 0) {
    return context;
  }
  return context + ": " + std::generic_category().message(sys_errno);
}

Error ErrnoError(int sys_errno, std::string context) {
  return Error{CodeFromErrno(sys_errno), sys_errno, std::move(context)};
}

tl::unexpected<Error> FailErrno(int sys_errno, std::string context) {
  return tl::make_unexpected(ErrnoError(sys_errno, std::move(context)));
}

void CheckOrDie(bool invariant, const char* what) {
  if (!invariant) {
    (void)std::fprintf(stderr, "openhook: broken invariant: %s\n", what);
    std::abort();
  }
}

}  // namespace openhook
