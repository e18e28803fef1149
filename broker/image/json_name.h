// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Names of the form json:{...}: a description of a QEMU block node, as it may stand in place of a
// backing file name. Understood are an image format over a file or a network driver, with "backing"
// and "data-file" described the same way, nested or with dotted keys ("file.filename"), as QEMU
// flattens them. Between the two and above them there may be filters (throttle, copy-on-read,
// preallocate, compress) and raw drivers, which may take a part of a file (an image within an
// archive). Options that lead to no file are passed over.

#ifndef BROKER_IMAGE_JSON_NAME_H_
#define BROKER_IMAGE_JSON_NAME_H_

#include <string_view>
#include <vector>

#include "broker/base/result.h"
#include "broker/image/backing_name.h"

namespace openhook::image {

inline constexpr std::string_view kJsonPrefix = "json:";

// `name` includes the prefix. Errors: kInvalidArgument for what is not JSON or contradicts itself,
// kUnsupported for references to nodes and for drivers that cannot be followed.
Result<std::vector<BackingLayer>> ParseJsonName(std::string_view name);

}  // namespace openhook::image

#endif  // BROKER_IMAGE_JSON_NAME_H_
