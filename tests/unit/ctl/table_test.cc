// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/table.h"

#include <gtest/gtest.h>

namespace openhook::ctl {
namespace {

TEST(Table, AlignsColumnsAndEndsNoLineInASpace) {
  Table table({{"ID", Align::kRight}, {"NAME"}, {"PATH"}});
  table.AddRow({"7", "long name", "/a"});
  table.AddRow({"1234", "b", "/longer"});
  EXPECT_EQ(table.Render(),
            "  ID  NAME       PATH\n"
            "   7  long name  /a\n"
            "1234  b          /longer\n");
}

TEST(Table, ShowsItsTitlesWithoutRows) { EXPECT_EQ(Table({{"A"}, {"B"}}).Render(), "A  B\n"); }

TEST(Table, MarksEmptyAndMissingCellsAndDropsSurplusOnes) {
  Table table({{"A"}, {"B"}, {"C"}});
  table.AddRow({"1", ""});
  table.AddRow({"1", "2", "3", "4"});
  EXPECT_EQ(table.Render(),
            "A  B  C\n"
            "1  -  -\n"
            "1  2  3\n");
}

TEST(Table, EscapesWhatAPeerPutIntoACell) {
  Table table({{"PATH"}, {"X"}});
  table.AddRow({"/a\n\x1b[31mb", "x"});
  EXPECT_EQ(table.Render(),
            "PATH             X\n"
            "/a\\x0a\\x1b[31mb  x\n");
}

TEST(Facts, AlignTheirValuesAndEscapeThem) {
  EXPECT_EQ(RenderFacts({{"VM", "a\tb"}, {"Longer", "c"}, {"Empty", ""}}),
            "VM:      a\\x09b\n"
            "Longer:  c\n"
            "Empty:\n");
}

}  // namespace
}  // namespace openhook::ctl
