// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/host_plan.h"

#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <utility>

#include "broker/base/canonical_path.h"
#include "broker/base/limits.h"
#include "broker/base/text.h"
#include "broker/ctl/host_devices.h"
#include "broker/ctl/plan_chain.h"
#include "broker/fs/resolve.h"

namespace openhook::ctl {

namespace {

using domain::Below;
using domain::Kind;
using domain::WantedFile;
using Because = domain::Refusal::Because;

Kind KindOf(const FileIdentity& identity, Kind planned) {
  switch (identity.kind) {
    case FileKind::kRegular:
      return Kind::kFile;
    case FileKind::kBlock:
      return Kind::kBlock;
    case FileKind::kCharacter:
      return Kind::kCharacter;
    case FileKind::kFifo:
      return Kind::kFifo;
    case FileKind::kDirectory:
      return Kind::kDirectory;
    case FileKind::kOther:
      break;
  }
  return planned == Kind::kSocket ? planned : Kind::kFile;
}

// The host's memory, ports and log have nodes of these numbers (Linux, devices.txt), and a node can
// be made under any name.
bool IsHostMemory(const std::optional<FileIdentity>& identity) {
  constexpr unsigned kMemoryMajor = 1;
  constexpr std::array<unsigned, 4> kMinors = {1, 2, 4, 11};  // mem, kmem, port, kmsg
  return identity && identity->kind == FileKind::kCharacter &&
         ::gnu_dev_major(identity->rdev) == kMemoryMajor &&
         std::find(kMinors.begin(), kMinors.end(), ::gnu_dev_minor(identity->rdev)) !=
             kMinors.end();
}

class Resolver {
 public:
  Resolver(const domain::Plan& plan, const domain::ForbiddenPaths& forbidden)
      : plan_(plan), forbidden_(forbidden), machine_{plan.name, plan.uuid, plan.short_name} {}

  HostPlan Resolve() {
    host_.uuid = plan_.uuid;
    host_.name = plan_.name;
    host_.network = plan_.network;
    host_.refused = plan_.refused;
    host_.warnings = plan_.warnings;
    for (const WantedFile& file : plan_.files) {
      AddFile(file);
    }
    for (const domain::DeviceQuestion& question : plan_.devices) {
      AddDevice(question);
    }
    return std::move(host_);
  }

 private:
  void AddDevice(const domain::DeviceQuestion& question) {
    const auto files = FindDevice(question, "");
    if (!files) {
      host_.warnings.push_back(question.source + ": " + files.error().context);
      return;
    }
    for (const std::string& path : *files) {
      AddFile({.path = path,
               .access = question.access,
               .kind = Kind::kCharacter,
               .source = question.source});
    }
  }

  void AddFile(const WantedFile& file) {
    PlannedGrant grant{.requested = file.path, .access = file.access, .kind = file.kind};
    grant.source = file.source;
    grant.depth = file.depth;
    grant.format = file.format;
    grant.role = ToString(file.role);
    grant.disk = file.disk;
    grant.shareable = file.shareable;
    if (!Place(&grant) || (!grant.exists && file.presence == domain::Presence::kIfThere) ||
        !CheckForbidden(grant)) {
      return;
    }
    const bool led = grant.exists && file.role != domain::Role::kNone && file.format != "raw";
    const PlannedGrant image = grant;
    if (IsNew(grant)) {
      host_.grants.push_back(std::move(grant));
    }
    if (led) {
      AddWhatHeadersSay(file, image);
    } else if (!image.exists && file.below == Below::kUnknown) {
      host_.warnings.push_back(file.source + ": " + Quote(file.path) +
                               " is not on this host, so the images below it are not known");
    }
  }

  // Two devices of one group, say. A part of a disk stays, as that disk's.
  bool IsNew(const PlannedGrant& grant) const {
    return !grant.role.empty() ||
           std::none_of(host_.grants.begin(), host_.grants.end(), [&](const PlannedGrant& one) {
             return one.path == grant.path && one.requested == grant.requested &&
                    one.access == grant.access && one.role.empty();
           });
  }

  // False when it was refused.
  bool Place(PlannedGrant* grant) {
    const auto resolved = fs::ResolveFollowing(grant->requested);
    if (resolved) {
      grant->path = resolved->path.str();
      grant->exists = true;
      grant->kind = KindOf(resolved->identity, grant->kind);
      grant->identity = resolved->identity;
      return true;
    }
    if (resolved.error().code != ErrorCode::kNotFound) {
      return Refuse(*grant, "cannot be looked at: " + resolved.error().Message(),
                    Because::kUnreadable);
    }
    return PlaceAbsent(grant);
  }

  // The directory may be there, behind symlinks. "name/.." of something absent means nothing.
  bool PlaceAbsent(PlannedGrant* grant) {
    const std::string clean = LexicalClean(grant->requested, "/").value_or(grant->requested);
    const auto folded = CanonicalPath::Parse(clean);
    const std::size_t slash = clean.rfind('/');
    const auto directory = fs::ResolveFollowing(slash == 0 ? "/" : clean.substr(0, slash));
    const auto joined = directory ? directory->path.Join(clean.substr(slash + 1))
                                  : Result<CanonicalPath>(tl::make_unexpected(directory.error()));
    if (joined) {
      grant->path = joined->str();
    } else if (folded) {
      grant->path = folded->str();
    } else {
      return Refuse(*grant,
                    "is not there, and what its '..' means cannot be known; write the path "
                    "without it");
    }
    return true;
  }

  bool CheckForbidden(const PlannedGrant& grant) {
    if (IsHostMemory(grant.identity)) {
      return Refuse(grant, "is never given to a machine: it is a device of the host's memory");
    }
    // Both names: a link may lead into what is forbidden, or out of it.
    for (const std::string& path : {grant.path, grant.requested}) {
      if (auto reason = forbidden_.ReasonAgainst(path, grant.access, grant.kind, machine_)) {
        const bool aliased = path == grant.path && grant.path != grant.requested;
        return Refuse(grant, (aliased ? "leads to " + Quote(path) + ", which " : "") + *reason);
      }
    }
    return true;
  }

  bool Refuse(const PlannedGrant& grant, std::string reason,
              Because because = Because::kForbidden) {
    host_.refused.push_back({grant.requested, grant.source, std::move(reason), because});
    return false;
  }

  void AddWhatHeadersSay(const WantedFile& file, const PlannedGrant& image) {
    // A data file that the definition names is used instead of the header's.
    const bool named =
        std::any_of(plan_.files.begin(), plan_.files.end(), [&](const WantedFile& other) {
          return other.role == domain::Role::kDataFile && other.source == file.source &&
                 other.depth == file.depth;
        });
    const auto below = ReadBelow(file, named ? DataFile::kNamed : DataFile::kInHeader);
    if (!below) {
      Refuse(image, "has a chain that cannot be planned: " + below.error().Message(),
             Because::kUnreadable);
      return;
    }
    for (const PlannedGrant& part : below->grants) {
      if (part.depth <= limits::kMaxChainDepth && CheckForbidden(part)) {
        host_.grants.push_back(part);
      }
    }
    host_.network.insert(host_.network.end(), below->network.begin(), below->network.end());
    host_.warnings.insert(host_.warnings.end(), below->warnings.begin(), below->warnings.end());
  }

  const domain::Plan& plan_;
  const domain::ForbiddenPaths& forbidden_;
  const domain::Machine machine_;
  HostPlan host_;
};

}  // namespace

HostPlan PlanOnHost(const domain::Plan& plan, const domain::ForbiddenPaths& forbidden) {
  return Resolver(plan, forbidden).Resolve();
}

}  // namespace openhook::ctl
