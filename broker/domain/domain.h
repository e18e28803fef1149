// SPDX-License-Identifier: LGPL-2.1-or-later
//
// From the XML of a libvirt domain (a live or a persistent definition) to the files that it makes
// QEMU open. Pure: the same text gives the same plan on every host. docs/domain.md has the table of
// elements. A definition is a request: what it asks for is judged where the plan is used
// (forbidden.h).

#ifndef BROKER_DOMAIN_DOMAIN_H_
#define BROKER_DOMAIN_DOMAIN_H_

#include <cstdint>
#include <string_view>

#include "broker/base/result.h"
#include "broker/domain/plan.h"

namespace openhook::domain {

// What becomes of files that <qemu:commandline> names. A warning in every case.
enum class CommandLine : std::uint8_t { kWarn, kRead, kReadWrite };

// Errors: kCorrupt for text that is no XML, kInvalidArgument for XML that is no domain, kLimit.
// Elements that are not known never are an error.
Result<Plan> PlanDomain(std::string_view xml, CommandLine command_line);

}  // namespace openhook::domain

#endif  // BROKER_DOMAIN_DOMAIN_H_
