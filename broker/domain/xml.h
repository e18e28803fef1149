// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Reads XML that strangers wrote. No document type, so no entities of its own and nothing external;
// UTF-8 only; and limits (broker/base/limits.h) on bytes, nesting, elements and attributes. The
// parser opens nothing: it is given memory.

#ifndef BROKER_DOMAIN_XML_H_
#define BROKER_DOMAIN_XML_H_

#include <string_view>

#include "broker/base/result.h"
#include "broker/domain/element.h"

namespace openhook::domain {

// The root element. Errors: kCorrupt with the line and what is wrong there; kLimit.
Result<Element> ParseXml(std::string_view text);

}  // namespace openhook::domain

#endif  // BROKER_DOMAIN_XML_H_
