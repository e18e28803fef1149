// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Between a decision of the whitelist and the security module: which name is used how, and the
// answer when the peer's profile does not give that.

#ifndef BROKER_SERVER_LABEL_CHECK_H_
#define BROKER_SERVER_LABEL_CHECK_H_

#include <optional>

#include "broker/base/open_intent.h"
#include "broker/server/answer.h"
#include "broker/server/file_service.h"
#include "broker/whitelist/decide.h"
#include "policy/label/label.h"

namespace openhook::server {

// What an open does to a file that exists.
label::FileUses UsesOf(const OpenIntent& intent);
label::FileUses UsesOf(const whitelist::AskedAccess& asked);

// `decision` allows. Nothing when the peer may; a decision that leads to no file, or a request that
// uses none, is nobody's business. Nor is a file that is to be made, where the profile is kept in
// step: its rule is loaded before it is delivered.
std::optional<Answer> RefuseByLabel(const Asking& asking, const whitelist::Decision& decision,
                                    label::FileUses uses);

}  // namespace openhook::server

#endif  // BROKER_SERVER_LABEL_CHECK_H_
