// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the fuzz targets of broker/image do with one input. Each checks what must hold of every
// answer, and aborts when it does not. The unit tests run the same functions over the corpora,
// whose file names say what is expected: accepted-... or refused-...

#ifndef TESTS_FUZZ_IMAGE_TARGETS_H_
#define TESTS_FUZZ_IMAGE_TARGETS_H_

#include <string_view>

namespace openhook::image {

enum class Verdict { kRefused, kAccepted };

// The input is the image.
Verdict FuzzQcow2(std::string_view input);
Verdict FuzzQed(std::string_view input);
Verdict FuzzQcow(std::string_view input);
Verdict FuzzVmdk(std::string_view input);
Verdict FuzzVpc(std::string_view input);
Verdict FuzzVdi(std::string_view input);
Verdict FuzzParallels(std::string_view input);
Verdict FuzzLuks(std::string_view input);
Verdict FuzzBochs(std::string_view input);
Verdict FuzzCloop(std::string_view input);
Verdict FuzzDmg(std::string_view input);
Verdict FuzzProbe(std::string_view input);  // of no declared format

// Pieces of the image: four bytes (big-endian) with the offset, two with the length, the content.
Verdict FuzzVhdx(std::string_view input);

// The first line spells the image, the rest is the name in its header.
Verdict FuzzBackingName(std::string_view input);

// Members one after the other, the image first: a byte with the length of the name, the name (below
// /vm/), two bytes (big-endian) with the length of the content, the content.
Verdict FuzzChain(std::string_view input);

}  // namespace openhook::image

#endif  // TESTS_FUZZ_IMAGE_TARGETS_H_
