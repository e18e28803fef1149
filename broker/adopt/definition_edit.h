// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What adopting a domain changes in the text of its definition, and how it is taken back: the
// emulator, and a label for each security model that libvirt would otherwise apply to files. Every
// other byte stays. Pure.

#ifndef BROKER_ADOPT_DEFINITION_EDIT_H_
#define BROKER_ADOPT_DEFINITION_EDIT_H_

#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"
#include "broker/domain/places.h"

namespace openhook::adopt {

// One piece of a text that is exchanged.
struct Edit {
  domain::Span span;  // empty: something new at this place
  std::string text;
};

// A definition, and where in it what stands.
struct Definition {
  std::string_view text;
  domain::Places places;
};

struct Wanted {
  std::string wrapper;         // becomes the emulator
  std::string apparmor_label;  // empty: what the definition says of AppArmor stays
};

// Edits are in the order of the text. Empty: it is as wanted already. Errors: kInvalidArgument for
// a definition that cannot be adopted, with the reason.
Result<std::vector<Edit>> EditsToAdopt(const Definition& now, const Wanted& wanted);

// Puts back what `original` had, where `now` still has what EditsToAdopt() made. What somebody
// changed meanwhile stays.
std::vector<Edit> EditsToRelease(const Definition& now, const Definition& original,
                                 const Wanted& wanted);

std::string Apply(std::string_view text, const std::vector<Edit>& edits);

// The lines that differ, in the manner of diff -u: "@@ line N @@", then lines with '-' and '+'.
std::string ShowEdits(std::string_view text, const std::vector<Edit>& edits);

}  // namespace openhook::adopt

#endif  // BROKER_ADOPT_DEFINITION_EDIT_H_
