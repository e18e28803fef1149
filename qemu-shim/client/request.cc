// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/client/request.h"

#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace openhook::client {

namespace {

template <class Bytes>
bool Copy(std::string_view from, Bytes* to) {
  // The wire's fields have room for PATH_MAX, which counts the NUL that is not sent.
  if (from.size() >= sizeof(to->bytes)) {
    return false;
  }
  if (!from.empty()) {  // an empty view may point nowhere
    std::memcpy(to->bytes, from.data(), from.size());
  }
  to->size = static_cast<pb_size_t>(from.size());
  return true;
}

template <class Body>
bool SetName(const Name& name, Body* body) {
  const bool absolute = name.path.starts_with('/');
  return Copy(name.path, &body->path) && Copy(absolute ? std::string_view() : name.cwd, &body->cwd);
}

openhook_proto_Access ToWire(IntendedAccess access) {
  switch (access) {
    case IntendedAccess::kRead:
      return openhook_proto_Access_ACCESS_READ;
    case IntendedAccess::kWrite:
      return openhook_proto_Access_ACCESS_WRITE;
    case IntendedAccess::kReadWrite:
      return openhook_proto_Access_ACCESS_READ_WRITE;
    case IntendedAccess::kNone:
      break;
  }
  return openhook_proto_Access_ACCESS_UNSPECIFIED;
}

}  // namespace

bool FillOpen(const Name& name, const OpenIntent& intent, mode_t mode, std::uint64_t token,
              openhook_proto_Request* request) {
  request->which_body = openhook_proto_Request_open_tag;
  openhook_proto_OpenRequest* open = &request->body.open;
  open->access = ToWire(intent.access);
  open->direct = intent.direct;
  open->sync = intent.sync;
  open->data_sync = intent.data_sync;
  open->append = intent.append;
  open->truncate = intent.truncate;
  open->create = intent.create;
  open->exclusive = intent.exclusive;
  open->nonblock = intent.nonblock;
  open->no_follow = intent.no_follow;
  open->other_flags = intent.other_flags;
  open->mode = intent.create ? mode : 0;
  open->token = intent.create ? token : 0;
  return SetName(name, open);
}

bool FillStat(const Name& name, Links links, openhook_proto_Request* request) {
  request->which_body = openhook_proto_Request_stat_tag;
  request->body.stat.no_follow = links == Links::kDoNotFollow;
  return SetName(name, &request->body.stat);
}

bool FillAccess(const Name& name, int mode, openhook_proto_Request* request) {
  request->which_body = openhook_proto_Request_access_tag;
  openhook_proto_AccessRequest* access = &request->body.access;
  access->read = (mode & R_OK) != 0;
  access->write = (mode & W_OK) != 0;
  access->execute = (mode & X_OK) != 0;
  return SetName(name, access);
}

bool FillUnlink(const Name& name, openhook_proto_Request* request) {
  request->which_body = openhook_proto_Request_unlink_tag;
  return SetName(name, &request->body.unlink);
}

std::uint64_t RandomToken() {
  std::uint64_t token = 0;
  while (::getrandom(&token, sizeof(token), 0) < 0 && errno == EINTR) {
  }
  return token;
}

}  // namespace openhook::client
