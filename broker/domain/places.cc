// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/domain/places.h"

#include <algorithm>

namespace openhook::domain {

namespace {

// libvirt has three drivers, and takes one label for each.
constexpr std::size_t kMostLabels = 64;

Span SpanOf(const Element& element) { return {element.text_begin, element.text_end}; }

bool IsElement(const Span& span, std::string_view name, std::string_view text) {
  if (span.begin >= span.end || span.end > text.size()) {
    return false;
  }
  const std::string_view element = text.substr(span.begin, span.end - span.begin);
  return element.starts_with("<" + std::string(name)) && element.ends_with('>');
}

}  // namespace

Places PlacesOf(const Element& domain) {
  Places places;
  if (domain.All("seclabel").size() > kMostLabels) {
    return places;
  }
  if (const Element* devices = domain.First("devices")) {
    places.before_new_label = SpanOf(*devices);
    if (const Element* emulator = devices->First("emulator")) {
      places.emulator = SpanOf(*emulator);
      places.emulator_path = emulator->Text();
    }
  }
  for (const Element* label : domain.All("seclabel")) {
    places.labels.push_back({SpanOf(*label), std::string(label->Attribute("type")),
                             std::string(label->Attribute("model")),
                             std::string(label->Attribute("relabel")),
                             std::string(label->TextOf("label"))});
    places.before_new_label = SpanOf(*label);
  }
  return places;
}

bool AreIn(const Places& places, std::string_view text) {
  const auto is_label = [&](const LabelPlace& label) {
    return IsElement(label.span, "seclabel", text);
  };
  const auto overlap = [](const LabelPlace& one, const LabelPlace& next) {
    return next.span.begin < one.span.end;
  };
  const bool apart = std::adjacent_find(places.labels.begin(), places.labels.end(), overlap) ==
                     places.labels.end();
  const auto holds_emulator = [&](const LabelPlace& label) {
    return label.span.begin < places.emulator.end && places.emulator.begin < label.span.end;
  };
  const std::size_t new_label = places.before_new_label.end;
  const auto holds_new_label = [&](const Span& span) {
    return span.begin < new_label && new_label < span.end;
  };
  return apart && !holds_new_label(places.emulator) &&
         std::none_of(places.labels.begin(), places.labels.end(),
                      [&](const LabelPlace& label) { return holds_new_label(label.span); }) &&
         std::all_of(places.labels.begin(), places.labels.end(), is_label) &&
         std::none_of(places.labels.begin(), places.labels.end(), holds_emulator) &&
         (places.emulator.IsEmpty() || IsElement(places.emulator, "emulator", text)) &&
         (places.before_new_label.IsEmpty() ||
          IsElement(places.before_new_label, "devices", text) ||
          IsElement(places.before_new_label, "seclabel", text));
}

}  // namespace openhook::domain
