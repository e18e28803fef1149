// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Every limit on what a peer or a file can make us spend, in one place. docs/specification.md
// repeats them with the test that enforces each.

#ifndef BROKER_BASE_LIMITS_H_
#define BROKER_BASE_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace openhook::limits {

// One packet on open.sock. Two paths of PATH_MAX and a few scalars fit.
inline constexpr std::size_t kMaxOpenPacket = 16 * std::size_t{1024};
// One packet on control.sock. Below the kernel's default send buffer (net.core.wmem_default,
// 212992 bytes, of which the bookkeeping of the packet takes a part).
inline constexpr std::size_t kMaxControlPacket = 128 * std::size_t{1024};
// Connections served at a time on each socket.
inline constexpr std::size_t kMaxOpenSessions = 64;
inline constexpr std::size_t kMaxControlSessions = 32;
// Grants of one VM. The lookup cost does not depend on it; the store's start-up does.
inline constexpr std::size_t kMaxGrants = 100'000;
// Files that a VM made and that are its own at a time: each takes a row of the store.
inline constexpr std::size_t kMaxCreatedFiles = 1000;
// Jobs of one VM that run at a time, and ended ones that are remembered for repeated requests.
inline constexpr std::size_t kMaxRunningJobs = 1000;
inline constexpr std::size_t kMaxEndedJobs = 100;
inline constexpr std::size_t kMaxLeaseNameBytes = 128;
inline constexpr std::size_t kMaxSourceBytes = 256;
// Members of one backing chain (libvirt and QEMU stop at 200 too).
inline constexpr std::size_t kMaxChainDepth = 200;
// Extents of all images of one chain. 2 TB in extents of 2 GB; about as many grants fit a packet.
inline constexpr std::size_t kMaxChainExtents = 1024;
// Decisions kept in memory for `openhookctl explain` and `watch`.
inline constexpr std::size_t kAuditRingEvents = 1024;

// Worker processes for files on file systems that may block: at a time, of these for one file
// system, and kept while nothing is to be done.
inline constexpr std::size_t kMaxWorkers = 8;
inline constexpr std::size_t kMaxWorkersPerFileSystem = 2;
inline constexpr std::size_t kMaxIdleWorkers = 2;
// Killed workers that the kernel does not let go: with so many, no file system that may block is
// asked any more.
inline constexpr std::size_t kMaxStuckWorkers = 8;
// Jobs that wait for a worker, in all and for one file system.
inline constexpr std::size_t kMaxWaitingJobs = 64;
inline constexpr std::size_t kMaxWaitingJobsPerFileSystem = 16;
// One packet between a broker and a worker: a control packet, and what is added to it.
inline constexpr std::size_t kMaxWorkerPacket = kMaxControlPacket + 16 * std::size_t{1024};
// Files that one job pins. Their answer has to fit a packet, with two paths' worth for each.
inline constexpr std::size_t kMaxPinsOfAJob = 16;

// The monitor relay: one command of a manager, how deep its JSON nests, how many commands wait
// behind the one that QEMU works on, and how many descriptors come with one (as many as QEMU
// takes).
inline constexpr std::size_t kMaxMonitorCommand = std::size_t{1} << 20;
inline constexpr std::size_t kMaxMonitorDepth = 64;
inline constexpr std::size_t kMaxMonitorQueue = 64;
inline constexpr std::size_t kMaxMonitorDescriptors = 16;
// One line of QEMU that is looked at; a longer one is passed on unread.
inline constexpr std::size_t kMaxMonitorLine = std::size_t{1} << 20;
// Block nodes of one VM that the relay remembers.
inline constexpr std::size_t kMaxMonitorNodes = 4096;

// A domain definition: its bytes (as libvirt's own helper), how deep it nests (a chain of 200
// images needs 206), its elements and attributes in all.
inline constexpr std::size_t kMaxDomainXml = std::size_t{10} << 20;
inline constexpr std::size_t kMaxXmlDepth = 240;
inline constexpr std::size_t kMaxXmlElements = 200'000;
inline constexpr std::size_t kMaxXmlAttributes = 400'000;
// Files, questions, network targets, refusals and warnings of one plan together.
inline constexpr std::size_t kMaxPlanned = 20'000;
// What the planning process may answer, and how long it may take.
inline constexpr std::size_t kMaxPlanReply = std::size_t{32} << 20;
inline constexpr std::size_t kPlanSeconds = 20;
// States that the rules of a VM's AppArmor profile may take: apparmor_parser holds 65535 in all, of
// which the template with libvirt's abstraction has about 4100.
inline constexpr std::size_t kMaxProfileStates = 60'000;
// Bytes of all paths of one profile, of one packet between a broker and openhook-loader, and of a
// template.
inline constexpr std::size_t kMaxProfilePathBytes = std::size_t{4} << 20;
inline constexpr std::size_t kMaxLoaderPacket = 64 * std::size_t{1024};
inline constexpr std::size_t kMaxTemplateBytes = 64 * std::size_t{1024};

}  // namespace openhook::limits

#endif  // BROKER_BASE_LIMITS_H_
