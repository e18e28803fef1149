// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/whitelist/announced.h"

#include <algorithm>
#include <set>

#include "broker/base/text.h"
#include "broker/whitelist/chain_grant.h"

namespace openhook::whitelist {

namespace {

constexpr std::string_view kPrefix = "libvirt:";
constexpr std::string_view kDevicePrefix = "device:";
constexpr std::string_view kDomainLease = "domain";

// Collects a change, a lease's one grant for each file at a time.
class Editor {
 public:
  explicit Editor(const Whitelist& whitelist) : whitelist_(whitelist), next_(whitelist.next_id()) {
    change_.generation = whitelist.generation() + 1;
  }

  void Take(std::string_view lease, const CanonicalPath& path) {
    if (const Grant* own = whitelist_.FindLive(lease, path)) {
      removed_.insert(own->id);
    }
  }

  // Pinned to the file that is known under the path already.
  Result<void> Give(const Grant& like) {
    const Grant* own = whitelist_.FindLive(like.lease, like.path);
    if (own != nullptr && own->access == like.access && own->depth == like.depth) {
      return {};
    }
    const Grant* known = own != nullptr ? own : AnyLive(like.path);
    if (known == nullptr) {
      return Fail(ErrorCode::kNotFound, "no lease gives the image " + Quote(like.path.str()) +
                                            " any more; grant it again");
    }
    Grant grant = *known;
    grant.id = next_++;
    grant.lease = like.lease;
    grant.access = like.access;
    grant.depth = like.depth;
    grant.role = like.role.empty() ? grant.role : like.role;
    if (own != nullptr) {
      removed_.insert(own->id);
    }
    change_.added.push_back(std::move(grant));
    return {};
  }

  // `next` in place of `old`; its lease gives what it consists of.
  Result<void> SetChain(const ChainRecord& old, const ChainRecord& next) {
    Drop(old, next);
    for (std::size_t i = 0; i < next.images.size(); ++i) {
      const bool writes = i == 0 && next.writable;
      Grant grant{.lease = next.lease, .path = next.images[i].path};
      grant.access = writes ? GrantAccess::kReadWrite : GrantAccess::kRead;
      grant.depth = static_cast<std::uint32_t>(i);
      grant.role = i == 0 ? "image" : "backing";
      if (auto given = GiveWithParts(grant, next.images[i]); !given) {
        return given;
      }
    }
    change_.chains.push_back(next);
    return {};
  }

  void EndChain(const ChainRecord& chain) {
    Drop(chain, {});
    change_.forgotten_chains.push_back(chain.disk);
  }

  Result<void> GiveWithParts(Grant grant, const ChainImage& image) {
    if (auto given = Give(grant); !given) {
      return given;
    }
    grant.role.clear();
    for (const CanonicalPath& part : image.parts) {
      grant.path = part;
      if (auto given = Give(grant); !given) {
        return given;
      }
    }
    return {};
  }

  Change Finish() {
    change_.removed.assign(removed_.begin(), removed_.end());
    return std::move(change_);
  }

 private:
  void Drop(const ChainRecord& old, const ChainRecord& next) {
    Change leaving;
    TakeBackLeaving(whitelist_, old, next, &leaving);
    removed_.insert(leaving.removed.begin(), leaving.removed.end());
  }

  [[nodiscard]] const Grant* AnyLive(const CanonicalPath& path) const {
    for (const Grant* grant : whitelist_.GrantsOf(path)) {
      if (grant->identity && !grant->stale && grant->ended_unix == 0) {
        return grant;
      }
    }
    return nullptr;
  }

  const Whitelist& whitelist_;
  Change change_;
  GrantId next_;
  std::set<GrantId> removed_;
};

// The image of a chain with this path; the first one, where several disks have it.
const ChainImage* FindImage(const Whitelist& whitelist, const CanonicalPath& path) {
  for (const auto& [disk, chain] : whitelist.chains()) {
    if (const auto position = chain.Find(path)) {
      return &chain.images[*position];
    }
  }
  return nullptr;
}

void EndWriting(Editor* editor, const CanonicalPath& path, const ChainImage* image) {
  editor->Take(kWritingLease, path);
  if (image != nullptr) {
    for (const CanonicalPath& part : image->parts) {
      editor->Take(kWritingLease, part);
    }
  }
}

// A definition that was read while a commit ran gives its base for writing too.
Result<void> NarrowBelow(const Whitelist& whitelist, const CanonicalPath& path, Editor* editor) {
  for (const auto& [disk, chain] : whitelist.chains()) {
    const std::size_t position = chain.Find(path).value_or(0);
    const Grant* own = whitelist.FindLive(chain.lease, path);
    if (position == 0 || own == nullptr || own->access == GrantAccess::kRead) {
      continue;
    }
    Grant reading = *own;
    reading.access = GrantAccess::kRead;
    if (auto given = editor->GiveWithParts(reading, chain.images[position]); !given) {
      return given;
    }
  }
  return {};
}

bool IsActive(const ChainRecord& chain, const CanonicalPath& path) {
  return !chain.images.empty() && chain.images.front().path == path;
}

// The image that a commit wrote to, when it wrote all that is above into it. That libvirt announced
// the base is not enough: the commit may have been aborted.
std::optional<std::size_t> PivotedTo(const Whitelist& whitelist, const HeldProbe& probe,
                                     const ChainRecord& chain) {
  for (std::size_t i = 1; i < chain.images.size(); ++i) {
    const Grant* own = whitelist.FindLive(chain.lease, chain.images[i].path);
    if (own != nullptr && own->identity && !own->stale &&
        probe(*own->identity) == Held::kForWriting) {
      return i;
    }
  }
  return std::nullopt;
}

Result<void> GiveUpActive(const Whitelist& whitelist, const HeldProbe& probe,
                          const ChainRecord& chain, Editor* editor) {
  const auto base = PivotedTo(whitelist, probe, chain);
  if (!base) {
    editor->EndChain(chain);
    return {};
  }
  ChainRecord next = chain;
  next.images.erase(next.images.begin(), next.images.begin() + static_cast<std::ptrdiff_t>(*base));
  EndWriting(editor, next.images.front().path, &next.images.front());
  return editor->SetChain(chain, next);
}

bool EndsWithMachine(std::string_view lease) {
  return lease == kDomainLease || lease.starts_with(kDevicePrefix) || IsLibvirtLease(lease);
}

}  // namespace

bool IsLibvirtLease(std::string_view lease) { return lease.starts_with(kPrefix); }

std::string NewLibvirtLease(const Whitelist& whitelist) {
  std::string lease;
  std::size_t number = 1;
  do {
    lease = std::string(kPrefix) + std::to_string(number++);
  } while (!whitelist.GrantsOfLease(lease).empty());
  return lease;
}

bool IsGiven(const Whitelist& whitelist, const CanonicalPath& path) {
  const auto found = whitelist.Find(path.str());
  return found.entry != nullptr && found.entry->readable && !found.entry->ended &&
         !found.entry->stale;
}

Result<std::optional<Change>> PlanAcquired(const Whitelist& whitelist, const std::string& name,
                                           Use use) {
  const auto found = whitelist.Find(name);
  if (found.entry == nullptr || !IsGiven(whitelist, found.entry->path)) {
    return std::optional<Change>();
  }
  const CanonicalPath& path = found.entry->path;
  const ChainImage* image = FindImage(whitelist, path);
  Editor editor(whitelist);
  if (use == Use::kRead) {
    EndWriting(&editor, path, image);
    if (auto narrowed = NarrowBelow(whitelist, path, &editor); !narrowed) {
      return tl::make_unexpected(narrowed.error());
    }
    return std::optional(editor.Finish());
  }
  if (found.entry->writable) {
    return std::optional(editor.Finish());
  }
  if (image == nullptr) {
    return std::optional<Change>();
  }
  Grant writing{.lease = std::string(kWritingLease), .path = path};
  writing.access = GrantAccess::kReadWrite;
  if (auto given = editor.GiveWithParts(writing, *image); !given) {
    return tl::make_unexpected(given.error());
  }
  return std::optional(editor.Finish());
}

Result<Change> PlanKnown(const Whitelist& whitelist, const std::string& name, Use use) {
  return PlanAcquired(whitelist, name, use).map([](std::optional<Change> change) {
    return std::move(change).value_or(Change());
  });
}

Result<Change> PlanReleased(const Whitelist& whitelist, const HeldProbe& probe,
                            const std::string& name) {
  Editor editor(whitelist);
  const auto found = whitelist.Find(name);
  if (found.entry == nullptr) {
    return editor.Finish();
  }
  const CanonicalPath& path = found.entry->path;
  EndWriting(&editor, path, FindImage(whitelist, path));
  // Both libvirt's announcement and a definition that was read later may have given it.
  for (const auto& [disk, chain] : whitelist.chains()) {
    if (!IsActive(chain, path)) {
      continue;
    }
    if (auto given_up = GiveUpActive(whitelist, probe, chain, &editor); !given_up) {
      return tl::make_unexpected(given_up.error());
    }
  }
  return editor.Finish();
}

bool IsActiveImage(const Whitelist& whitelist, const std::string& name) {
  const auto found = whitelist.Find(name);
  return found.entry != nullptr &&
         std::any_of(whitelist.chains().begin(), whitelist.chains().end(),
                     [&](const auto& it) { return IsActive(it.second, found.entry->path); });
}

bool IsActiveOn(const Whitelist& whitelist, const std::string& path, const std::string& below) {
  return std::any_of(whitelist.chains().begin(), whitelist.chains().end(), [&](const auto& it) {
    const auto& images = it.second.images;
    return images.size() > 1 && images[0].path.str() == path && images[1].path.str() == below;
  });
}

bool WritesTo(const Whitelist& whitelist, const HeldProbe& probe, const std::string& path) {
  return std::any_of(whitelist.chains().begin(), whitelist.chains().end(), [&](const auto& it) {
    const ChainRecord& chain = it.second;
    if (chain.images.empty() || chain.images.front().path.str() != path) {
      return false;
    }
    const Grant* own = whitelist.FindLive(chain.lease, chain.images.front().path);
    return own != nullptr && own->identity && probe(*own->identity) == Held::kForWriting;
  });
}

std::vector<std::string> DisksOn(const Whitelist& whitelist, const std::string& name) {
  std::vector<std::string> disks;
  const auto found = whitelist.Find(name);
  for (const auto& [disk, chain] : whitelist.chains()) {
    if (found.entry != nullptr && chain.Find(found.entry->path).value_or(0) > 0) {
      disks.push_back(disk);
    }
  }
  return disks;
}

const ChainRecord* DiskBelow(const Whitelist& whitelist, const ChainRecord& overlay) {
  if (!IsLibvirtLease(overlay.lease) || !overlay.writable || overlay.images.size() < 2) {
    return nullptr;
  }
  for (const auto& [disk, chain] : whitelist.chains()) {
    if (disk != overlay.disk && !chain.images.empty() &&
        chain.images.front().path == overlay.images[1].path) {
      return &chain;
    }
  }
  return nullptr;
}

Result<Change> PlanOnTop(const Whitelist& whitelist, const ChainRecord& disk,
                         const ChainRecord& overlay) {
  Editor editor(whitelist);
  ChainRecord next = disk;
  next.images.insert(next.images.begin(), overlay.images.front());
  if (auto set = editor.SetChain(disk, next); !set) {
    return tl::make_unexpected(set.error());
  }
  editor.EndChain(overlay);
  return editor.Finish();
}

Result<void> MayStandOn(const Whitelist& whitelist, const std::vector<ChainImage>& seen, Use use,
                        const DriftRules& rules) {
  if (seen.empty() || rules.policy == DriftPolicy::kTrust) {
    return {};
  }
  const auto written = use == Use::kWrite ? NewlyWritten(whitelist, seen) : std::nullopt;
  if (written) {
    return Fail(ErrorCode::kPermission, "the headers of " + Quote(seen.front().path.str()) +
                                            " would have the VM write to " + Quote(written->str()) +
                                            ", which it may not; to allow it: openhookctl grant " +
                                            Quote(written->str()) + " --write");
  }
  std::set<CanonicalPath> known = KnownDirectories(whitelist);
  known.insert(seen.front().path.Parent());
  for (const CanonicalPath& file : ChainRecord::FilesOf(seen)) {
    const bool follows = rules.policy == DriftPolicy::kPool && IsInPool(file, known, rules.pools);
    if (file != seen.front().path && !IsGiven(whitelist, file) && !follows) {
      return Fail(ErrorCode::kPermission,
                  "the headers of " + Quote(seen.front().path.str()) + " lead to " +
                      Quote(file.str()) +
                      ", which lies neither beside the image, nor beside a disk of this VM, nor in "
                      "a configured pool; to allow it: a pool in the broker's options, or "
                      "openhookctl grant " +
                      Quote(file.str()));
    }
  }
  return {};
}

Change PlanMachineEnded(const Whitelist& whitelist) {
  Change change;
  for (const auto& [id, grant] : whitelist.grants()) {
    if (EndsWithMachine(grant.lease)) {
      change.removed.push_back(id);
    }
  }
  for (const auto& [disk, chain] : whitelist.chains()) {
    if (IsLibvirtLease(chain.lease)) {
      change.forgotten_chains.push_back(disk);
    }
  }
  for (const auto& [path, file] : whitelist.created()) {
    if (EndsWithMachine(file.lease)) {
      change.forgotten.push_back(path);
    }
  }
  change.generation = whitelist.generation() + (change.IsEmpty() ? 0 : 1);
  return change;
}

}  // namespace openhook::whitelist
