// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What libvirt announces of a machine's images, turned into changes of its whitelist. libvirt names
// the top image of whatever it is about to do, with reading or writing, and tells when an image was
// given up. Pure, like every plan.
//
//   announced                          gives
//   an image that no chain has         a lease of its own ("libvirt:3") with the image's chain
//   a chain's image, for writing       writing to it, in the lease "libvirt:writing"
//   the same, for reading              an end of that
//   released, the active image         an end of the disk; when the VM writes to an image below (a
//                                      commit has pivoted), that is the disk's now
//   released, an image below           nothing: headers say what is left (server/feed.h)

#ifndef BROKER_WHITELIST_ANNOUNCED_H_
#define BROKER_WHITELIST_ANNOUNCED_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/whitelist/drift.h"
#include "broker/whitelist/ending.h"
#include "broker/whitelist/whitelist.h"

namespace openhook::whitelist {

inline constexpr std::string_view kWritingLease = "libvirt:writing";

enum class Use : std::uint8_t { kRead, kWrite };

// Of an image that was announced, or of libvirt's writing.
bool IsLibvirtLease(std::string_view lease);

// A lease for a new image.
std::string NewLibvirtLease(const Whitelist& whitelist);

// Nothing: no chain has this image, so its own has to be read. An empty change: the VM may do so
// already. `name`: cleaned.
Result<std::optional<Change>> PlanAcquired(const Whitelist& whitelist, const std::string& name,
                                           Use use);

// The same for an image that is not new; for one that is, an empty change.
Result<Change> PlanKnown(const Whitelist& whitelist, const std::string& name, Use use);

// An empty change: nothing hangs on this image. `probe` tells which image the VM writes to now.
Result<Change> PlanReleased(const Whitelist& whitelist, const HeldProbe& probe,
                            const std::string& name);

// Is this image the active one of a disk?
bool IsActiveImage(const Whitelist& whitelist, const std::string& name);

// Is `path` the active image of a disk, directly on `below`? When both are released one after the
// other, a snapshot of a paused machine has ended: libvirt acquires what is active again when the
// machine goes on (qemuSnapshotDiskUpdateSource() in its qemu_snapshot.c).
bool IsActiveOn(const Whitelist& whitelist, const std::string& path, const std::string& below);

// Is it the active image of a disk that the VM writes to?
bool WritesTo(const Whitelist& whitelist, const HeldProbe& probe, const std::string& path);

// Disks that have this image below their active one.
std::vector<std::string> DisksOn(const Whitelist& whitelist, const std::string& name);

// The disk whose active image the announced image `overlay` stands on, for writing; null: none.
const ChainRecord* DiskBelow(const Whitelist& whitelist, const ChainRecord& overlay);

// The announced image is the active one of `disk` from now on (a snapshot).
Result<Change> PlanOnTop(const Whitelist& whitelist, const ChainRecord& disk,
                         const ChainRecord& overlay);

// May a new image stand on these files, as its headers say? On what the VM has already, always;
// else as the policy says, where the image's own directory counts as a known one. What it would
// have the VM write to beside itself, the VM has to have for writing. Errors: kPermission with the
// file.
Result<void> MayStandOn(const Whitelist& whitelist, const std::vector<ChainImage>& seen, Use use,
                        const DriftRules& rules);

// The VM may read this file by a live lease.
bool IsGiven(const Whitelist& whitelist, const CanonicalPath& path);

// The machine is no more: what its definition and libvirt gave ends. The records of its
// definition's chains stay, so that the next start compares them with what headers say by then.
Change PlanMachineEnded(const Whitelist& whitelist);

}  // namespace openhook::whitelist

#endif  // BROKER_WHITELIST_ANNOUNCED_H_
