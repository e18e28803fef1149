// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An aligned table for people. Cells are escaped here and nowhere else (base/text.h), so that no
// byte of a peer or of a file name reaches the terminal raw, and so that a byte is a column.

#ifndef BROKER_CTL_TABLE_H_
#define BROKER_CTL_TABLE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace openhook::ctl {

enum class Align : std::uint8_t { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // Missing cells at the end are empty; surplus ones are dropped. An empty cell is shown as "-".
  void AddRow(std::vector<std::string> cells);

  // The titles and one line for each row; no line ends in a space.
  [[nodiscard]] std::string Render() const;

 private:
  [[nodiscard]] std::vector<std::size_t> Widths() const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// "name:   value" lines with the values in one column, for the facts of one thing. Values are
// sentences (words.h, OneLine()).
std::string RenderFacts(const std::vector<std::pair<std::string, std::string>>& facts);

}  // namespace openhook::ctl

#endif  // BROKER_CTL_TABLE_H_
