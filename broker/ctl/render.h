// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Grants and decisions for people: what list, grant, revoke, explain and watch print without
// --json. Every string of a peer is escaped.

#ifndef BROKER_CTL_RENDER_H_
#define BROKER_CTL_RENDER_H_

#include <string>

#include "proto/control.pb.h"

namespace openhook::ctl {

std::string RenderGrants(const google::protobuf::RepeatedPtrField<proto::GrantInfo>& grants);

// One decision as one line, with the remedy on a second one where there is one.
std::string RenderEvent(const proto::Event& event);

}  // namespace openhook::ctl

#endif  // BROKER_CTL_RENDER_H_
