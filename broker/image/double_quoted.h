// SPDX-License-Identifier: LGPL-2.1-or-later
//
// QEMU's JSON may have strings in single quotes (qobject/json-lexer.c). This turns them into double
// quotes, which is what JSON has, so that json: names are read in every spelling that QEMU takes.

#ifndef BROKER_IMAGE_DOUBLE_QUOTED_H_
#define BROKER_IMAGE_DOUBLE_QUOTED_H_

#include <string>
#include <string_view>

namespace openhook::image {

// What is not well formed stays so: an open string is left open, a bad escape bad.
std::string DoubleQuoted(std::string_view json);

}  // namespace openhook::image

#endif  // BROKER_IMAGE_DOUBLE_QUOTED_H_
