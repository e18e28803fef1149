// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/json_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace openhook::image {
namespace {

using ::testing::HasSubstr;

Result<std::vector<BackingLayer>> Parse(const std::string& json) {
  return ParseJsonName("json:" + json);
}

TEST(JsonName, DescribesAFileInEveryForm) {
  const struct {
    const char* json;
    const char* spelled;
    std::optional<Format> format;
  } rows[] = {
      {R"({"driver":"qcow2","file":{"driver":"file","filename":"/b"}})", "/b", Format::kQcow2},
      {R"({"driver":"qcow2","file.driver":"file","file.filename":"/b"})", "/b", Format::kQcow2},
      {R"({"file":{"filename":"/b"}})", "/b", std::nullopt},
      {R"({"file.filename":"/b"})", "/b", std::nullopt},
      {R"({"driver":"file","filename":"/b"})", "/b", Format::kRaw},
      {R"({"driver":"host_device","filename":"/dev/sdb"})", "/dev/sdb", Format::kRaw},
      {R"({"driver":"raw","file.filename":"/b","offset":512,"size":"1M"})", "/b", Format::kRaw},
      {R"({"driver":"qed","file":{"filename":"/b","cache":{"direct":true}}})", "/b", Format::kQed},
      {R"( { "driver" : "qcow2", "lazy-refcounts":"on", "file.filename" : "b" } )", "b",
       Format::kQcow2},
      // No protocol is looked for in a JSON file name.
      {R"({"driver":"raw","file.filename":"nbd:x"})", "nbd:x", Format::kRaw},
      {R"({"driver":"raw","file.filename":"/\u00e9"})", "/\xc3\xa9", Format::kRaw},
  };
  for (const auto& row : rows) {
    const auto layers = Parse(row.json);
    ASSERT_TRUE(layers) << row.json << ": " << layers.error().Message();
    ASSERT_EQ(layers->size(), 1U) << row.json;
    EXPECT_EQ(layers->front().target.kind, TargetKind::kFile) << row.json;
    EXPECT_EQ(layers->front().target.name, row.spelled) << row.json;
    EXPECT_EQ(layers->front().format, row.format) << row.json;
    EXPECT_EQ(layers->front().below, Below::kAsItsHeaderSays) << row.json;
  }
}

TEST(JsonName, RelativeNamesBeginInTheWorkingDirectory) {
  EXPECT_EQ(Parse(R"({"file.filename":"b"})")->front().target.relative_to,
            RelativeTo::kWorkingDirectory);
}

TEST(JsonName, NetworkDriversAreNamedWhole) {
  for (const char* json :
       {R"({"driver":"nbd","server.type":"unix","server.path":"/run/s"})",
        R"({"driver":"qcow2","file":{"driver":"rbd","pool":"p","image":"i"}})",
        R"({"driver":"raw","file.driver":"https","file.url":"https://host/x"})"}) {
    const auto layers = Parse(json);
    ASSERT_TRUE(layers) << json << ": " << layers.error().Message();
    EXPECT_EQ(layers->front().target.kind, TargetKind::kNetwork) << json;
    EXPECT_EQ(layers->front().target.name, std::string("json:") + json);
  }
  EXPECT_EQ(Parse(R"({"driver":"qcow2","file.driver":"nbd"})")->front().format, Format::kQcow2);
  EXPECT_EQ(Parse(R"({"driver":"nbd"})")->front().format, Format::kRaw);
}

TEST(JsonName, MayDescribeWhatIsBelow) {
  const auto layers = Parse(R"({"driver":"qcow2","file.filename":"/a",
      "backing":{"driver":"qcow2","file":{"filename":"/b"},
      "backing":{"driver":"raw","file.filename":"/c","backing":null}}})");
  ASSERT_TRUE(layers) << layers.error().Message();
  ASSERT_EQ(layers->size(), 3U);
  EXPECT_EQ((*layers)[0].below, Below::kNextLayer);
  EXPECT_EQ((*layers)[1].below, Below::kNextLayer);
  EXPECT_EQ((*layers)[1].target.name, "/b");
  EXPECT_EQ((*layers)[2].target.name, "/c");
  EXPECT_EQ((*layers)[2].format, Format::kRaw);
  EXPECT_EQ((*layers)[2].below, Below::kNothing);
}

TEST(JsonName, MayGiveTheDataFile) {
  const auto layers = Parse(R"({"driver":"qcow2","file.filename":"/a",
      "data-file":{"driver":"file","filename":"/d"}})");
  ASSERT_TRUE(layers) << layers.error().Message();
  EXPECT_EQ(layers->front().data_file->name, "/d");
}

TEST(JsonName, RefusesByItsFault) {
  const struct {
    const char* json;
    ErrorCode code;
    const char* message;
  } rows[] = {
      {R"({"driver":"qcow2","file":"node0"})", ErrorCode::kUnsupported,
       "refers to another node of a running QEMU by 'file'"},
      {R"({"driver":"qcow2","file.filename":"/a","backing":"node1"})", ErrorCode::kUnsupported,
       "by 'backing'"},
      {R"({"driver":"qcow2","file.filename":"/a","data-file":"node1"})", ErrorCode::kUnsupported,
       "by 'data-file'"},
      {R"({"driver":"qcow2"})", ErrorCode::kInvalidArgument, "no 'file.filename'"},
      {R"({})", ErrorCode::kInvalidArgument, "no 'file.filename'"},
      {R"({"filename":"/a"})", ErrorCode::kInvalidArgument, "no 'file.filename'"},
      {R"({"driver":"file"})", ErrorCode::kInvalidArgument, "no 'filename'"},
      {R"({"driver":"raw","file.filename":""})", ErrorCode::kInvalidArgument, "names no file"},
      {R"({"driver":"raw","file.filename":7})", ErrorCode::kInvalidArgument,
       "gives 'file.filename' as something else than a string"},
      {R"({"driver":true,"file.filename":"/a"})", ErrorCode::kInvalidArgument, "gives 'driver'"},
      {R"({"driver":"raw","file":{"driver":"qcow2","file.filename":"/a"}})",
       ErrorCode::kUnsupported, "the format driver 'qcow2' below another format driver"},
      {R"({"driver":"quorum","children.0.filename":"/a"})", ErrorCode::kUnsupported, "'quorum'"},
      {R"({"driver":"raw","file":{"driver":"throttle","file.filename":"/a"}})",
       ErrorCode::kUnsupported, "the driver 'throttle', which cannot be followed"},
      {R"({"driver":"raw","file":{"driver":"nvme","device":"0"}})", ErrorCode::kUnsupported,
       "'nvme'"},
      {R"({"driver":"qcow2","file.filename":"/a","backing":null,"backing.file.filename":"/b"})",
       ErrorCode::kInvalidArgument, "says that there is none"},
      {R"({"driver":"qcow2","file.filename":"/a","backing":{"driver":"raw"}})",
       ErrorCode::kInvalidArgument, "no 'backing.file.filename'"},
      {R"({"driver":"raw","driver":"qcow2","file.filename":"/a"})", ErrorCode::kInvalidArgument,
       "gives 'driver' twice"},
      {R"(nothing)", ErrorCode::kInvalidArgument, "is not JSON"},
  };
  for (const auto& row : rows) {
    const auto layers = Parse(row.json);
    ASSERT_FALSE(layers) << row.json;
    EXPECT_EQ(layers.error().code, row.code) << row.json;
    EXPECT_THAT(layers.error().context, HasSubstr(row.message)) << row.json;
  }
}

}  // namespace
}  // namespace openhook::image
