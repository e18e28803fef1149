// SPDX-License-Identifier: LGPL-2.1-or-later

#include "policy/profile/landlock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "broker/base/system_paths.h"
#include "broker/base/text.h"
#include "policy/profile/landlock_abi.h"

namespace openhook::landlock {

namespace {

constexpr std::uint64_t kReadRights = abi::kReadFile | abi::kReadDir;
constexpr std::uint64_t kReadWriteRights =
    kReadRights | abi::kWriteFile | abi::kTruncate | abi::kIoctlDev;
// No device nodes and no symlinks: nothing that would mean more to somebody else than to QEMU. No
// links and renames between directories (REFER) and nothing to execute.
constexpr std::uint64_t kPrivateDirectoryRights = kReadWriteRights | abi::kMakeReg | abi::kMakeDir |
                                                  abi::kMakeSock | abi::kMakeFifo |
                                                  abi::kRemoveFile | abi::kRemoveDir;

std::uint64_t RightsFor(PathUse use) {
  switch (use) {
    case PathUse::kRead:
      return kReadRights;
    case PathUse::kExecute:
      return kReadRights | abi::kExecute;
    case PathUse::kReadWrite:
      return kReadWriteRights;
    case PathUse::kPrivateDirectory:
      return kPrivateDirectoryRights;
  }
  return 0;
}

std::optional<PathUse> UseOf(SystemUse use) {
  switch (use) {
    case SystemUse::kRead:
      return PathUse::kRead;
    case SystemUse::kExecute:
      return PathUse::kExecute;
    case SystemUse::kReadWrite:
      return PathUse::kReadWrite;
    case SystemUse::kInherited:
      break;
  }
  return std::nullopt;
}

}  // namespace

int LandlockAbi() {
  const long abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, std::size_t{0}, abi::kCreateRulesetVersion);
  return abi > 0 ? static_cast<int>(abi) : 0;
}

Result<Ruleset> Ruleset::DenyAll() {
  const int abi = LandlockAbi();
  if (abi == 0) {
    return Fail(ErrorCode::kUnsupported,
                "this kernel has no Landlock (CONFIG_SECURITY_LANDLOCK, and 'landlock' in the "
                "kernel's lsm= list)");
  }
  const abi::RulesetAttr attributes{abi::HandledRights(abi), 0, abi::Scopes(abi)};
  UniqueFd fd(static_cast<int>(
      ::syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0U)));
  if (!fd.IsValid()) {
    return FailErrno(errno, "cannot create a Landlock ruleset");
  }
  return Ruleset(std::move(fd), abi);
}

Result<void> Ruleset::Allow(const std::string& path, PathUse use) {
  const UniqueFd fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!fd.IsValid()) {
    return FailErrno(errno, "cannot allow " + Quote(path) + " in the Landlock domain");
  }
  return AllowOpened(fd.Get(), path, use);
}

Result<void> Ruleset::AllowOpened(int path_fd, const std::string& path, PathUse use) {
  struct stat found{};
  if (::fstat(path_fd, &found) != 0) {
    return FailErrno(errno, "cannot look at " + Quote(path));
  }
  const bool is_directory = S_ISDIR(found.st_mode);
  if (use == PathUse::kPrivateDirectory && !is_directory) {
    return Fail(ErrorCode::kInvalidArgument, Quote(path) + " is not a directory");
  }
  std::uint64_t rights = RightsFor(use) & abi::HandledRights(abi_);
  if (!is_directory) {
    rights &= abi::kRightsOfAFile;
  }
  const abi::PathBeneathAttr rule{rights, path_fd};
  if (::syscall(SYS_landlock_add_rule, fd_.Get(), abi::kRulePathBeneath, &rule, 0U) != 0) {
    return FailErrno(errno, "cannot add " + Quote(path) + " to the Landlock ruleset");
  }
  return {};
}

Result<void> Ruleset::AllowSystemPaths() {
  for (const SystemPath& system : kSystemPaths) {
    const auto use = UseOf(system.use);
    if (!use) {
      continue;
    }
    const auto allowed = Allow(std::string(system.prefix), *use);
    if (!allowed && allowed.error().code != ErrorCode::kNotFound) {
      return allowed;
    }
  }
  return {};
}

Result<void> Ruleset::RestrictSelf() const {
  if (::syscall(SYS_landlock_restrict_self, fd_.Get(), 0U) != 0) {
    return FailErrno(errno, "cannot enter the Landlock domain");
  }
  return {};
}

}  // namespace openhook::landlock
