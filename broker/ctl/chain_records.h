// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The chain records of a broker, and the headers that they are compared with.

#ifndef BROKER_CTL_CHAIN_RECORDS_H_
#define BROKER_CTL_CHAIN_RECORDS_H_

#include <string>
#include <vector>

#include "broker/base/result.h"
#include "broker/client/control_client.h"
#include "proto/control.pb.h"

namespace openhook::ctl {

// All of them, by name of the disk.
Result<std::vector<proto::ChainInfo>> AskChains(client::ControlClient* client);

// Reads the headers of the disk's active image as they are now, and asks the broker to let the
// record follow them: as its policy says, or (`accept`) in any case. Errors: those of
// image::WalkChain(), and the broker's refusal of drift.
enum class Drifted : std::uint8_t { kAskPolicy, kAccept };
Result<proto::ChangeReply> FollowHeaders(client::ControlClient* client,
                                         const proto::ChainInfo& chain, Drifted drifted);

}  // namespace openhook::ctl

#endif  // BROKER_CTL_CHAIN_RECORDS_H_
