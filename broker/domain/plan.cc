// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/domain/plan.h"

namespace openhook::domain {

std::string_view ToString(Access access) {
  switch (access) {
    case Access::kRead:
      return "read";
    case Access::kReadWrite:
      return "read-write";
    case Access::kCreate:
      return "create";
    case Access::kList:
      return "list";
  }
  return "unknown";
}

std::string_view ToString(Kind kind) {
  switch (kind) {
    case Kind::kFile:
      return "file";
    case Kind::kBlock:
      return "block";
    case Kind::kCharacter:
      return "char";
    case Kind::kDirectory:
      return "directory";
    case Kind::kSocket:
      return "socket";
    case Kind::kFifo:
      return "fifo";
  }
  return "unknown";
}

std::string_view ToString(Role role) {
  switch (role) {
    case Role::kNone:
      return "";
    case Role::kImage:
      return "image";
    case Role::kBacking:
      return "backing";
    case Role::kDataFile:
      return "data-file";
  }
  return "";
}

}  // namespace openhook::domain
