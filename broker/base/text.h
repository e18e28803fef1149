// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Text for people made from bytes of strangers. Path names are arbitrary bytes: a newline in one
// must not forge a log line (threat model D33), so every message quotes them with these.

#ifndef BROKER_BASE_TEXT_H_
#define BROKER_BASE_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace openhook {

// Printable ASCII stays; every other byte, the backslash and the single quote become \xHH. At most
// `limit` input bytes are shown, then "...".
std::string Escape(std::string_view bytes, std::size_t limit = 4096);

// Escape() between single quotes.
std::string Quote(std::string_view bytes, std::size_t limit = 4096);

// A sentence of a peer. Control characters and bytes beyond ASCII become \xHH as in Escape(), so
// that it stays on its line; quotes and backslashes stay, since names in it are quoted already.
std::string OneLine(std::string_view sentence);

// "1 grant", "2 grants".
std::string Plural(std::size_t count, std::string_view noun);

}  // namespace openhook

#endif  // BROKER_BASE_TEXT_H_
