// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/adopt/definition_edit.h"

#include <algorithm>
#include <optional>

#include "broker/base/text.h"

namespace openhook::adopt {

namespace {

using domain::LabelPlace;
using domain::Span;

constexpr std::string_view kDac = "dac";
constexpr std::string_view kAppArmor = "apparmor";

std::string_view Piece(const Definition& definition, const Span& span) {
  return definition.text.substr(span.begin, span.end - span.begin);
}

std::string EscapeXml(std::string_view text) {
  std::string escaped;
  for (const char byte : text) {
    if (byte == '&') {
      escaped += "&amp;";
    } else if (byte == '<') {
      escaped += "&lt;";
    } else {
      escaped += byte;
    }
  }
  return escaped;
}

const LabelPlace* LabelOf(const Definition& definition, std::string_view model) {
  const auto& labels = definition.places.labels;
  const auto found = std::find_if(labels.begin(), labels.end(),
                                  [&](const LabelPlace& label) { return label.model == model; });
  return found == labels.end() ? nullptr : &*found;
}

// A label that the definition is to have.
struct WantedLabel {
  std::string_view model;
  std::string label;  // empty: of the type "none"
};

// No chown of images. A user that the definition names for this machine stays; with "none" QEMU
// runs as the one of qemu.conf.
WantedLabel WantedDac(const LabelPlace* now) {
  const bool names_user = now != nullptr && now->type == "static" && !now->label.empty();
  return {kDac, names_user ? now->label : ""};
}

bool IsSame(const LabelPlace& label, const WantedLabel& wanted) {
  return wanted.label.empty()
             ? label.type == "none"
             : label.type == "static" && label.label == wanted.label && label.relabel == "no";
}

// As libvirt writes it, so that the definition that it hands out later has the same bytes.
std::string TextOf(const WantedLabel& wanted, const std::string& indent) {
  std::string text = "<seclabel type='" + std::string(wanted.label.empty() ? "none" : "static") +
                     "' model='" + std::string(wanted.model) + "'";
  if (wanted.label.empty()) {
    return text + "/>";
  }
  const std::string inner = indent.empty() ? "" : indent + "  ";
  return text + " relabel='no'>" + inner + "<label>" + EscapeXml(wanted.label) + "</label>" +
         indent + "</seclabel>";
}

bool IsOurs(const LabelPlace& label, const Definition& original, const Wanted& wanted) {
  if (label.model == kAppArmor) {
    return !wanted.apparmor_label.empty() && IsSame(label, {kAppArmor, wanted.apparmor_label});
  }
  return IsSame(label, WantedDac(LabelOf(original, kDac)));
}

// White space between the element before and this one, so that a new line looks like the others.
std::string IndentBefore(std::string_view text, std::size_t begin) {
  const std::size_t line = begin == 0 ? std::string_view::npos : text.rfind('\n', begin - 1);
  if (line == std::string_view::npos) {
    return "";
  }
  const std::string_view blank = text.substr(line, begin - line);
  return blank.find_first_not_of(" \t\n") == std::string_view::npos ? std::string(blank) : "";
}

void AddLabelEdit(const Definition& now, const WantedLabel& wanted, std::vector<Edit>* edits) {
  if (const LabelPlace* label = LabelOf(now, wanted.model)) {
    if (!IsSame(*label, wanted)) {
      edits->push_back({label->span, TextOf(wanted, IndentBefore(now.text, label->span.begin))});
    }
    return;
  }
  const Span& before = now.places.before_new_label;
  const std::string indent = IndentBefore(now.text, before.begin);
  edits->push_back({{before.end, before.end}, indent + TextOf(wanted, indent)});
}

std::optional<Error> ReasonAgainst(const Definition& now) {
  const auto fail = [](std::string reason) {
    return Error{ErrorCode::kInvalidArgument, 0, "the definition " + std::move(reason)};
  };
  if (now.places.emulator.IsEmpty() || now.places.emulator_path.empty()) {
    return fail("names no <emulator>; add the QEMU that it is to run, with 'virsh edit'");
  }
  const auto& labels = now.places.labels;
  if (std::any_of(labels.begin(), labels.end(),
                  [](const LabelPlace& label) { return label.model.empty(); })) {
    return fail(
        "has a <seclabel> without a model, which stands for all of them; give it one with "
        "'virsh edit'");
  }
  return std::nullopt;
}

// Edits at one place keep their order. They are few; and clang warns of what g++ 12's
// std::stable_sort is made of.
void SortByPlace(std::vector<Edit>* edits) {
  const auto is_before = [](const Edit& one, const Edit& other) {
    return one.span.begin < other.span.begin;
  };
  for (auto at = edits->begin(); at != edits->end(); ++at) {
    std::rotate(std::upper_bound(edits->begin(), at, *at, is_before), at, at + 1);
  }
}

// With the white space before it, so that no empty line is left.
Edit Removal(const Definition& now, const Span& span) {
  const std::string indent = IndentBefore(now.text, span.begin);
  return {{span.begin - indent.size(), span.end}, ""};
}

std::string_view LineStartingAt(std::string_view text, std::size_t begin) {
  return text.substr(begin, std::min(text.find('\n', begin), text.size()) - begin);
}

void AddLines(char sign, std::string_view lines, std::string* shown) {
  while (!lines.empty()) {
    const std::string_view line = LineStartingAt(lines, 0);
    shown->append(1, sign).append(OneLine(line)).append("\n");
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
  }
}

// Whole lines around the edit.
Span LinesAround(std::string_view text, const Span& span) {
  const std::size_t before =
      span.begin == 0 ? std::string_view::npos : text.rfind('\n', span.begin - 1);
  return {before == std::string_view::npos ? 0 : before + 1,
          std::min(text.find('\n', span.end), text.size())};
}

}  // namespace

Result<std::vector<Edit>> EditsToAdopt(const Definition& now, const Wanted& wanted) {
  if (auto error = ReasonAgainst(now)) {
    return tl::make_unexpected(std::move(*error));
  }
  std::vector<Edit> edits;
  if (now.places.emulator_path != wanted.wrapper) {
    edits.push_back(
        {now.places.emulator, "<emulator>" + EscapeXml(wanted.wrapper) + "</emulator>"});
  }
  AddLabelEdit(now, WantedDac(LabelOf(now, kDac)), &edits);
  if (!wanted.apparmor_label.empty()) {
    AddLabelEdit(now, {kAppArmor, wanted.apparmor_label}, &edits);
  }
  SortByPlace(&edits);
  return edits;
}

std::vector<Edit> EditsToRelease(const Definition& now, const Definition& original,
                                 const Wanted& wanted) {
  std::vector<Edit> edits;
  if (now.places.emulator_path == wanted.wrapper && !original.places.emulator.IsEmpty()) {
    edits.push_back({now.places.emulator, std::string(Piece(original, original.places.emulator))});
  }
  for (const std::string_view model : {kDac, kAppArmor}) {
    const LabelPlace* label = LabelOf(now, model);
    if (label == nullptr || !IsOurs(*label, original, wanted)) {
      continue;
    }
    if (const LabelPlace* before = LabelOf(original, model)) {
      edits.push_back({label->span, std::string(Piece(original, before->span))});
    } else {
      edits.push_back(Removal(now, label->span));
    }
  }
  SortByPlace(&edits);
  std::erase_if(edits, [&](const Edit& edit) { return Piece(now, edit.span) == edit.text; });
  return edits;
}

std::string Apply(std::string_view text, const std::vector<Edit>& edits) {
  std::string result;
  std::size_t done = 0;
  for (const Edit& edit : edits) {
    result.append(text.substr(done, edit.span.begin - done)).append(edit.text);
    done = edit.span.end;
  }
  return result.append(text.substr(done));
}

std::string ShowEdits(std::string_view text, const std::vector<Edit>& edits) {
  std::string shown;
  for (const Edit& edit : edits) {
    const Span lines = LinesAround(text, edit.span);
    const auto number =
        1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(lines.begin), '\n');
    const std::string_view old = text.substr(lines.begin, lines.end - lines.begin);
    std::string changed(old);
    changed.replace(edit.span.begin - lines.begin, edit.span.end - edit.span.begin, edit.text);
    shown += "@@ line " + std::to_string(number) + " @@\n";
    // A new line behind one that stays.
    if (edit.span.IsEmpty() && changed.starts_with(old)) {
      AddLines(' ', old, &shown);
      AddLines('+', std::string_view(changed).substr(std::min(old.size() + 1, changed.size())),
               &shown);
      continue;
    }
    AddLines('-', old, &shown);
    AddLines('+', changed, &shown);
  }
  return shown;
}

}  // namespace openhook::adopt
