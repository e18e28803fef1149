// SPDX-License-Identifier: LGPL-2.1-or-later
//
// libvirt's qemu.conf: what it says of one thing, and a line of ours in it. Pure.

#ifndef BROKER_ADOPT_QEMU_CONF_H_
#define BROKER_ADOPT_QEMU_CONF_H_

#include <optional>
#include <string>
#include <string_view>

namespace openhook::adopt {

// The value without quotes, of a line that is no comment; absent: the default counts. A list is
// given as it is written.
std::optional<std::string> QemuConfValue(std::string_view text, std::string_view key);

// The text with `key = "value"` as the only setting of this key. One that was there is kept as a
// comment, for WithoutOurLine().
std::string WithOurLine(std::string_view text, std::string_view key, std::string_view value);

// What the text was before WithOurLine(), with other changes since then.
std::string WithoutOurLine(std::string_view text);

}  // namespace openhook::adopt

#endif  // BROKER_ADOPT_QEMU_CONF_H_
