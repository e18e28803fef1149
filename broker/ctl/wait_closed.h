// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Waits until the VM has closed files whose leases have ended.

#ifndef BROKER_CTL_WAIT_CLOSED_H_
#define BROKER_CTL_WAIT_CLOSED_H_

#include <chrono>

#include "broker/base/result.h"
#include "broker/client/control_client.h"
#include "proto/control.pb.h"

namespace openhook::ctl {

// Errors: kUnavailable after `timeout`, naming the first file that is still open and who has it.
Result<void> WaitUntilClosed(client::ControlClient* client,
                             const google::protobuf::RepeatedPtrField<proto::GrantInfo>& held,
                             std::chrono::milliseconds timeout);

}  // namespace openhook::ctl

#endif  // BROKER_CTL_WAIT_CLOSED_H_
