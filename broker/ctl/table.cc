// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/table.h"

#include <algorithm>

#include "broker/base/text.h"
#include "broker/ctl/words.h"

namespace openhook::ctl {

namespace {

constexpr std::size_t kGap = 2;

std::string Pad(const std::string& text, std::size_t width, Align align) {
  const std::string space(width > text.size() ? width - text.size() : 0, ' ');
  return align == Align::kRight ? space + text : text + space;
}

void EndLine(std::string* line) {
  line->erase(line->find_last_not_of(' ') + 1);
  line->push_back('\n');
}

}  // namespace

void Table::AddRow(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::string& cell : cells) {
    cell = cell.empty() ? "-" : Escape(cell);
  }
  rows_.push_back(std::move(cells));
}

std::vector<std::size_t> Table::Widths() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = columns_[i].title.size();
    for (const auto& row : rows_) {
      width = std::max(width, row[i].size());
    }
    widths.push_back(width);
  }
  return widths;
}

std::string Table::Render() const {
  const std::vector<std::size_t> widths = Widths();
  std::string text;
  const auto add_line = [&](const auto& cell_of) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      line += Pad(cell_of(i), widths[i], columns_[i].align);
      line.append(kGap, ' ');
    }
    EndLine(&line);
    text += line;
  };
  add_line([this](std::size_t i) -> const std::string& { return columns_[i].title; });
  for (const auto& row : rows_) {
    add_line([&row](std::size_t i) -> const std::string& { return row[i]; });
  }
  return text;
}

std::string RenderFacts(const std::vector<std::pair<std::string, std::string>>& facts) {
  std::size_t width = 0;
  for (const auto& [name, value] : facts) {
    width = std::max(width, name.size() + 1);
  }
  std::string text;
  for (const auto& [name, value] : facts) {
    std::string line = Pad(name + ":", width + kGap, Align::kLeft) + OneLine(value);
    EndLine(&line);
    text += line;
  }
  return text;
}

}  // namespace openhook::ctl
