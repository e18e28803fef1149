// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/domain/element.h"

namespace openhook::domain {

const Element kEmptyElement;

std::string_view Element::Attribute(std::string_view attribute) const {
  for (const auto& [key, value] : attributes) {
    if (key == attribute) {
      return value;
    }
  }
  return {};
}

std::string Element::AttributeOr(std::string_view attribute, std::string_view other) const {
  const std::string_view value = Attribute(attribute);
  return std::string(value.empty() ? other : value);
}

const Element* Element::First(std::string_view child) const {
  for (const Element& element : children) {
    if (element.name == child && element.namespace_uri.empty()) {
      return &element;
    }
  }
  return nullptr;
}

const Element* Element::First(std::string_view child, std::string_view grandchild) const {
  const Element* found = First(child);
  return found == nullptr ? nullptr : found->First(grandchild);
}

std::vector<const Element*> Element::All(std::string_view child) const {
  std::vector<const Element*> found;
  for (const Element& element : children) {
    if (element.name == child && element.namespace_uri.empty()) {
      found.push_back(&element);
    }
  }
  return found;
}

std::string_view Element::Text() const {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::string_view all = text;
  const std::size_t begin = all.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) {
    return {};
  }
  return all.substr(begin, all.find_last_not_of(kSpace) - begin + 1);
}

std::string_view Element::TextOf(std::string_view child) const {
  const Element* found = First(child);
  return found == nullptr ? std::string_view() : found->Text();
}

}  // namespace openhook::domain
