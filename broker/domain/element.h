// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A domain definition as a tree of plain values, so that nothing above broker/domain/xml.cc knows
// the XML library. Namespaces: an element or attribute of libvirt's own vocabulary has none.

#ifndef BROKER_DOMAIN_ELEMENT_H_
#define BROKER_DOMAIN_ELEMENT_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace openhook::domain {

struct Element {
  std::string name;           // without prefix
  std::string namespace_uri;  // empty: none
  std::vector<std::pair<std::string, std::string>> attributes;
  std::string text;  // of this element alone, in pieces put together
  std::vector<Element> children;
  // Where it stands in the text, from its '<' to behind its last '>'.
  std::size_t text_begin = 0;
  std::size_t text_end = 0;

  // The attribute's value; empty when there is none. libvirt treats both alike for every name of a
  // file.
  [[nodiscard]] std::string_view Attribute(std::string_view attribute) const;
  [[nodiscard]] std::string AttributeOr(std::string_view attribute, std::string_view other) const;

  // The first child of that name without a namespace; null when there is none.
  [[nodiscard]] const Element* First(std::string_view child) const;
  // First() again and again: First("os", "loader"). Null when one is missing.
  [[nodiscard]] const Element* First(std::string_view child, std::string_view grandchild) const;
  [[nodiscard]] bool Has(std::string_view child) const { return First(child) != nullptr; }
  [[nodiscard]] std::vector<const Element*> All(std::string_view child) const;

  // Without white space around it.
  [[nodiscard]] std::string_view Text() const;
  // Of the first child of that name; empty when there is none.
  [[nodiscard]] std::string_view TextOf(std::string_view child) const;
};

// Stands for an element that is not there.
extern const Element kEmptyElement;

}  // namespace openhook::domain

#endif  // BROKER_DOMAIN_ELEMENT_H_
