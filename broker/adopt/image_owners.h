// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Images whose owner is QEMU's user, which therefore could open them, or change their mode, without
// any broker: giving them to root, and back.

#ifndef BROKER_ADOPT_IMAGE_OWNERS_H_
#define BROKER_ADOPT_IMAGE_OWNERS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "broker/adopt/record.h"
#include "broker/base/result.h"

namespace openhook::adopt {

// Those of `paths` (canonical) that are regular files of this user. One that cannot be looked at is
// not among them.
std::vector<SecuredImage> OwnedBy(uid_t user, const std::vector<std::string>& paths);

// root:root 0600, if it is still that file. Errors: kConflict when it is not; the kernel's.
Result<void> GiveToRoot(const SecuredImage& image);

// As it was, if it is still that file and still as GiveToRoot() left it; nothing otherwise.
Result<void> GiveBack(const SecuredImage& image);

// A process of its owner that has an image open would not get it open again, and could go on
// writing to it without the broker. Errors: kConflict with the process.
Result<void> CheckNobodyHas(const std::vector<SecuredImage>& images);

// All of them; and looks once more then, since until then anybody of that user could open them.
// After an error none is root's.
Result<void> GiveAllToRoot(const std::vector<SecuredImage>& images);
Result<void> GiveAllBack(const std::vector<SecuredImage>& images);

}  // namespace openhook::adopt

#endif  // BROKER_ADOPT_IMAGE_OWNERS_H_
