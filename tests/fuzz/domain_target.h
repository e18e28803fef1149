// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the fuzz target of broker/domain does with one input, a definition: plans it, checks what
// must hold of every plan, and asks the list of forbidden paths about all of it. The unit tests run
// it over the corpus, whose file names say what is expected: accepted-... or refused-...

#ifndef TESTS_FUZZ_DOMAIN_TARGET_H_
#define TESTS_FUZZ_DOMAIN_TARGET_H_

#include <cstdint>
#include <string_view>

namespace openhook::domain {

enum class Planned : std::uint8_t { kRefused, kAccepted };

Planned FuzzDomain(std::string_view input);

}  // namespace openhook::domain

#endif  // TESTS_FUZZ_DOMAIN_TARGET_H_
