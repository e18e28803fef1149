// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The whole whitelist of a machine, page by page, as it was at one moment.

#ifndef BROKER_CTL_GRANT_LIST_H_
#define BROKER_CTL_GRANT_LIST_H_

#include "broker/base/result.h"
#include "broker/client/control_client.h"
#include "proto/control.pb.h"

namespace openhook::ctl {

// Errors: kUnavailable when it changes again and again; those of ControlClient::Call().
Result<proto::ListReply> AskAllGrants(client::ControlClient* client);

}  // namespace openhook::ctl

#endif  // BROKER_CTL_GRANT_LIST_H_
