// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/launcher/target_user.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <optional>

#include "broker/base/text.h"

namespace openhook::launcher {

namespace {

// A number that setresuid(2) takes; -1 would mean "leave it as it is".
std::optional<std::uint32_t> ParseId(const std::string& text) {
  std::uint32_t id = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, id);
  const bool valid = parsed.ec == std::errc() && parsed.ptr == end && id != UINT32_MAX;
  return valid ? std::optional(id) : std::nullopt;
}

Result<gid_t> ResolveGroup(const std::string& text) {
  if (const group* entry = ::getgrnam(text.c_str())) {
    return entry->gr_gid;
  }
  if (const auto id = ParseId(text)) {
    return *id;
  }
  return Fail(ErrorCode::kNotFound, "there is no group " + Quote(text));
}

std::vector<gid_t> GroupsOf(const char* name, gid_t primary) {
  int count = 64;
  std::vector<gid_t> groups;
  int found = -1;
  do {
    groups.resize(static_cast<std::size_t>(count));
    found = ::getgrouplist(name, primary, groups.data(), &count);
  } while (found < 0 && count > static_cast<int>(groups.size()));
  groups.resize(found > 0 ? static_cast<std::size_t>(found) : 0);
  return groups;
}

const passwd* FindUser(const std::string& text) {
  if (const passwd* entry = ::getpwnam(text.c_str())) {
    return entry;
  }
  const auto id = ParseId(text);
  return id ? ::getpwuid(*id) : nullptr;
}

Result<void> DropCapabilities() {
  // Ambient capabilities survive a change of uid where secure bits say so, and then exec.
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capset, &header, none) != 0) {
    return FailErrno(errno, "cannot give up the capabilities");
  }
  return {};
}

// setresuid(2) can report success and leave a way back (a saved id, a capability); this asks.
Result<void> ProveItIsFinal(const TargetUser& user) {
  uid_t real_uid = 0;
  uid_t effective_uid = 0;
  uid_t saved_uid = 0;
  gid_t real_gid = 0;
  gid_t effective_gid = 0;
  gid_t saved_gid = 0;
  ::getresuid(&real_uid, &effective_uid, &saved_uid);
  ::getresgid(&real_gid, &effective_gid, &saved_gid);
  const bool is_user = real_uid == user.uid && effective_uid == user.uid && saved_uid == user.uid &&
                       real_gid == user.gid && effective_gid == user.gid && saved_gid == user.gid;
  const bool root_is_back = user.uid != 0 && ::setresuid(0, 0, 0) == 0;
  if (!is_user || root_is_back) {
    return Fail(ErrorCode::kPermission, "the change of user did not hold; refusing to go on");
  }
  return {};
}

}  // namespace

Result<TargetUser> ResolveUser(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  TargetUser user;
  const passwd* entry = FindUser(name);
  const auto id = ParseId(name);
  if (entry != nullptr) {
    user = {entry->pw_uid, entry->pw_gid, GroupsOf(entry->pw_name, entry->pw_gid)};
  } else if (id && colon != std::string::npos) {
    user.uid = *id;
  } else if (id) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "user id " + name + " has no account, so its group must be named: " + name + ":GROUP");
  } else {
    return Fail(ErrorCode::kNotFound, "there is no user " + Quote(name));
  }
  if (colon != std::string::npos) {
    const auto gid = ResolveGroup(text.substr(colon + 1));
    if (!gid) {
      return tl::make_unexpected(gid.error());
    }
    user.gid = *gid;
  }
  return user;
}

Result<void> BecomeUser(const TargetUser& user) {
  const std::string who = "user " + std::to_string(user.uid);
  // An ordinary user who names himself already has his groups, and may not set them.
  const bool privileged = ::geteuid() == 0;
  if (privileged && ::setgroups(user.supplementary.size(), user.supplementary.data()) != 0) {
    return FailErrno(errno, "cannot take the groups of " + who);
  }
  if (::setresgid(user.gid, user.gid, user.gid) != 0) {
    return FailErrno(errno, "cannot take group " + std::to_string(user.gid));
  }
  if (::setresuid(user.uid, user.uid, user.uid) != 0) {
    return FailErrno(errno, "cannot become " + who);
  }
  if (user.uid != 0) {
    if (auto dropped = DropCapabilities(); !dropped) {
      return dropped;
    }
  }
  return ProveItIsFinal(user);
}

}  // namespace openhook::launcher
