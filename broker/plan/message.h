// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A plan, or why there is none, as the bytes that cross from the planning process to its parent.

#ifndef BROKER_PLAN_MESSAGE_H_
#define BROKER_PLAN_MESSAGE_H_

#include <string>
#include <string_view>

#include "broker/base/result.h"
#include "broker/domain/plan.h"

namespace openhook::plan {

std::string Encode(const Result<domain::Plan>& plan);

// Errors: that of Encode(); kCorrupt for bytes that are no answer. Nothing that the bytes say is
// believed beyond its form: paths are absolute, counts are within limits, sentences are on one
// line.
Result<domain::Plan> Decode(std::string_view bytes);

}  // namespace openhook::plan

#endif  // BROKER_PLAN_MESSAGE_H_
