// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/adopt/image_owners.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "broker/base/text.h"
#include "broker/fs/holders.h"
#include "broker/fs/identity.h"
#include "broker/fs/proc_fd.h"
#include "broker/fs/resolve.h"

namespace openhook::adopt {

namespace {

constexpr mode_t kPermissionBits = 07777;
constexpr mode_t kRootsAlone = 0600;

struct Found {
  PathFd file;
  struct stat info;
};

Result<Found> Look(const std::string& path) {
  const auto canonical = CanonicalPath::Parse(path);
  if (!canonical) {
    return tl::make_unexpected(canonical.error());
  }
  auto file = fs::ResolveNoSymlinks(*canonical);
  if (!file) {
    return tl::make_unexpected(file.error());
  }
  const auto info = fs::StatOf(*file);
  if (!info) {
    return tl::make_unexpected(info.error());
  }
  return Found{std::move(*file), *info};
}

Result<void> SetOwner(const Found& found, const SecuredImage& wanted) {
  return fs::Reopen(found.file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
      .and_then([&](const IoFd& file) -> Result<void> {
        // The owner first on the way to root, whom the mode does not matter to.
        if (::fchown(file.Get(), wanted.uid, wanted.gid) != 0 ||
            ::fchmod(file.Get(), wanted.mode) != 0) {
          return FailErrno(errno, "cannot change the owner of " + Quote(wanted.path));
        }
        return {};
      });
}

bool IsSameFile(const struct stat& info, const SecuredImage& image) {
  return S_ISREG(info.st_mode) && info.st_ino == image.ino;
}

}  // namespace

std::vector<SecuredImage> OwnedBy(uid_t user, const std::vector<std::string>& paths) {
  std::vector<SecuredImage> owned;
  for (const std::string& path : paths) {
    const auto found = Look(path);
    // A newline would end its line in the record.
    if (found && S_ISREG(found->info.st_mode) && found->info.st_uid == user &&
        path.find('\n') == std::string::npos) {
      owned.push_back({path, found->info.st_ino, found->info.st_uid, found->info.st_gid,
                       found->info.st_mode & kPermissionBits});
    }
  }
  return owned;
}

Result<void> GiveToRoot(const SecuredImage& image) {
  const auto found = Look(image.path);
  if (!found) {
    return tl::make_unexpected(found.error());
  }
  if (!IsSameFile(found->info, image)) {
    return Fail(ErrorCode::kConflict, Quote(image.path) + " is another file by now; try again");
  }
  SecuredImage secured = image;
  secured.uid = 0;
  secured.gid = 0;
  secured.mode = kRootsAlone;
  return SetOwner(*found, secured);
}

Result<void> GiveBack(const SecuredImage& image) {
  const auto found = Look(image.path);
  const bool still = found && IsSameFile(found->info, image) && found->info.st_uid == 0;
  return still ? SetOwner(*found, image) : Result<void>();
}

Result<void> CheckNobodyHas(const std::vector<SecuredImage>& images) {
  for (const SecuredImage& image : images) {
    const auto held = fs::HeldFiles::Scan(image.uid, {});
    const auto found = Look(image.path);
    const auto identity = found ? fs::IdentityOf(found->file, fs::HandleUse::kSkip)
                                : tl::make_unexpected(found.error());
    if (!held || !identity) {
      return tl::make_unexpected(held ? identity.error() : held.error());
    }
    if (const auto holders = held->HoldersOf(*identity); !holders.empty()) {
      return Fail(
          ErrorCode::kConflict,
          fmt::format("--secure-files: {} is open in the process {} ({}), which could not "
                      "open it again; stop that machine first, or leave --secure-files out",
                      Quote(image.path), holders.front().pid, Escape(holders.front().program)));
    }
  }
  return {};
}

Result<void> GiveAllToRoot(const std::vector<SecuredImage>& images) {
  Result<void> given;
  for (const SecuredImage& image : images) {
    given = given ? GiveToRoot(image) : given;
  }
  given = given.and_then([&] { return CheckNobodyHas(images); });
  if (!given) {
    (void)GiveAllBack(images);
  }
  return given;
}

Result<void> GiveAllBack(const std::vector<SecuredImage>& images) {
  Result<void> all;
  for (const SecuredImage& image : images) {
    const auto given = GiveBack(image);
    all = all ? given : all;
  }
  return all;
}

}  // namespace openhook::adopt
