// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/client/socket_owner.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <array>

#include "broker/base/text.h"
#include "broker/fs/identity.h"
#include "broker/fs/resolve.h"

namespace openhook::client {

namespace {

// Room for the strings of one passwd or group entry, without its members' names beyond that.
using EntryBuffer = std::array<char, 65'536>;

std::string GroupName(gid_t gid) {
  EntryBuffer buffer{};
  group entry{};
  group* found = nullptr;
  if (::getgrgid_r(gid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return fmt::format("with the number {}", gid);
  }
  return Quote(found->gr_name);
}

}  // namespace

std::string DescribeWhoMayUse(const std::string& socket_path) {
  const auto socket = fs::ResolveFollowing(socket_path);
  const auto info =
      socket ? fs::StatOf(socket->fd) : Result<struct stat>(tl::make_unexpected(socket.error()));
  if (!info) {
    return "be root, or a member of the broker's control group (openhookd --control-group)";
  }
  if (info->st_gid == 0) {
    return "be root: this broker was started without a --control-group";
  }
  return "be root, or a member of the group " + GroupName(info->st_gid);
}

std::string CallerName() {
  EntryBuffer buffer{};
  passwd entry{};
  passwd* found = nullptr;
  const uid_t uid = ::getuid();
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return fmt::format("{}", uid);
  }
  return found->pw_name;
}

}  // namespace openhook::client
