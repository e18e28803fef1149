// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where the bytes of a disk, of one of its backing images, of a data file or of the NVRAM are: the
// <source> element, which is spelled alike in all of them.

#ifndef BROKER_DOMAIN_STORAGE_SOURCE_H_
#define BROKER_DOMAIN_STORAGE_SOURCE_H_

#include <string_view>

#include "broker/domain/element.h"
#include "broker/domain/planning.h"

namespace openhook::domain {

// Adds what `holder`, an element with the attribute type (file unless told) and the child <source>,
// makes QEMU open. `use` says everything but path and kind; what applies to images alone (format,
// role, what is below) is dropped for other types. Nothing is added for an empty drive.
void PlanStorage(const Element& holder, const WantedFile& use, Planning* planning);

}  // namespace openhook::domain

#endif  // BROKER_DOMAIN_STORAGE_SOURCE_H_
