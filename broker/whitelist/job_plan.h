// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the beginning and the end of a job do to a whitelist. Pure, like every plan: the change is
// made durable by the store before it is applied.
//
//   kind         gives while it runs                     has changed when it succeeded
//   commit       base and the image above top: writing   top down to above base leave the chain
//   stream       top: writing                            what lies between top and base leaves
//   mirror       the target                              pivoted: the target is the disk
//   backup       the target                              nothing
//   snapshot     the new image                           it is the active image; the old one is
//   read reopen       the image: writing, if to writing       the disk's own access to it change
//   the new medium                          it is the disk attach       the new disk its own lease
//   has it save         the file                                nothing migrate-in   the active
//   images: writing              the disks' own leases have it migrate-out  nothing no disk is for
//   writing any more
//
// An aborted job has changed nothing. What an ending takes away while the VM still holds it is the
// affair of ending.h.

#ifndef BROKER_WHITELIST_JOB_PLAN_H_
#define BROKER_WHITELIST_JOB_PLAN_H_

#include <cstdint>
#include <vector>

#include "broker/whitelist/whitelist.h"

namespace openhook::whitelist {

struct JobPlan {
  Change change;  // empty when the request repeats one that was carried out
  Job job;        // as it is after the change
};

// `targets`: the resolved grants of the images that the job brings, top image first, each with its
// role and depth; their lease is set here. Errors: kNotFound for a disk or image that no chain
// record has, kInvalidArgument for a request that makes no sense for its kind, kConflict for an id
// that another job has, kLimit.
Result<JobPlan> PlanJobBegin(const Whitelist& whitelist, JobRequest request,
                             std::vector<Grant> targets, std::int64_t now_unix);

// `outcome`: not kRunning. Errors: kNotFound for an unknown id, kConflict when the job ended
// otherwise, or when it brings a file that was never made.
Result<JobPlan> PlanJobEnd(const Whitelist& whitelist, const std::string& id, JobState outcome,
                           std::int64_t now_unix);

}  // namespace openhook::whitelist

#endif  // BROKER_WHITELIST_JOB_PLAN_H_
