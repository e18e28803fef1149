// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where in the text of a definition the elements stand that decide how QEMU is started and
// labelled, so that they can be exchanged there and every other byte stays what it was.

#ifndef BROKER_DOMAIN_PLACES_H_
#define BROKER_DOMAIN_PLACES_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "broker/domain/element.h"

namespace openhook::domain {

// Bytes of the text; empty: there is no such element.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
  [[nodiscard]] bool IsEmpty() const { return begin == end; }
};

// A <seclabel> of the domain (not of one of its disks).
struct LabelPlace {
  Span span;
  std::string type;
  std::string model;  // empty: it means all of them
  std::string relabel;
  std::string label;
};

struct Places {
  Span emulator;
  std::string emulator_path;
  std::vector<LabelPlace> labels;  // as they follow each other in the text
  // Behind what a new <seclabel> may stand: the last one, or </devices>. Empty: neither is there.
  Span before_new_label;
};

// None at all of a definition with more labels than any has.
Places PlacesOf(const Element& domain);

// Do the places name elements of this text, each behind the one before it? They may come from a
// process that has read a stranger's text.
bool AreIn(const Places& places, std::string_view text);

}  // namespace openhook::domain

#endif  // BROKER_DOMAIN_PLACES_H_
