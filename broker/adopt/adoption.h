// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Adopting a domain and releasing it, in steps of which each leaves either an adopted domain or one
// that is as before; repeating the command goes on where it was interrupted. What a step does is
// decided by what is there, never by what was done last time.

#ifndef BROKER_ADOPT_ADOPTION_H_
#define BROKER_ADOPT_ADOPTION_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/adopt/definition_edit.h"
#include "broker/adopt/record.h"
#include "broker/adopt/virsh.h"
#include "broker/base/result.h"
#include "broker/domain/plan.h"

namespace openhook::adopt {

// Reads a definition in its sandbox: broker/plan/planner_process.h.
using Planner = std::function<Result<domain::Plan>(std::string_view xml)>;

enum class AppArmorLabel : std::uint8_t {
  kStatic,  // the definition names our profile, and libvirt's helper is never called
  kKept,    // libvirt labels as ever
};

struct AdoptOptions {
  std::string programs;  // the directory of openhook-qemu
  AppArmorLabel label = AppArmorLabel::kStatic;
};

// What adopting would do, or releasing. Nothing is changed yet.
struct Change {
  Virsh::Domain domain;
  Virsh::State state;
  std::string before;       // the definition
  std::vector<Edit> edits;  // none: it is as wanted
  domain::Plan plan;        // of `before`
  Record record;
  // Adopting alone.
  std::vector<SecuredImage> to_secure;  // of `record`: what is to be root's, and is not yet
  Settings settings;
  bool was_adopted = false;
  // Releasing: the running QEMU is an openhook-qemu, and needs its broker until it ends.
  bool still_served = false;
  std::string original;  // what is kept as such (adopting), or was (releasing); empty: nothing
};

// Errors: kInvalidArgument for a domain that cannot be adopted; those of Virsh.
Result<Change> PrepareToAdopt(const Virsh& virsh, const Adoptions& adoptions,
                              const Planner& planner, const std::string& domain,
                              const AdoptOptions& options);
// The record's images become root's. When libvirt refuses the definition, nothing is kept of it.
Result<void> Adopt(const Virsh& virsh, const Adoptions& adoptions, const Planner& planner,
                   const Change& change);

Result<Change> PrepareToRelease(const Virsh& virsh, const Adoptions& adoptions,
                                const Planner& planner, const std::string& domain);
// While it is still served, what its broker needs is kept; releasing once more removes that, too.
Result<void> Release(const Virsh& virsh, const Adoptions& adoptions, const Change& change);

}  // namespace openhook::adopt

#endif  // BROKER_ADOPT_ADOPTION_H_
