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

TEST(JsonName, FiltersAndRawDriversMayStandAboveAFormatAndBelowIt) {
  const struct {
    const char* json;
    Format format;
    const char* wrapper;
    std::uint64_t begin;
    std::uint64_t size;
  } rows[] = {
      {R"({"driver":"raw","offset":512,"file":{"driver":"qcow2","file.filename":"/b"}})",
       Format::kQcow2, "raw", 0, UINT64_MAX},
      {R"({"driver":"throttle","file":{"driver":"raw","file":{"driver":"vmdk",
          "file.filename":"/b"}}})",
       Format::kVmdk, "throttle", 0, UINT64_MAX},
      {R"({"driver":"copy-on-read","file":{"driver":"file","filename":"/b"}})", Format::kRaw,
       "copy-on-read", 0, UINT64_MAX},
      {R"({"driver":"raw","offset":7,"file":{"driver":"preallocate","file":{"driver":"file",
          "filename":"/b"}}})",
       Format::kRaw, "", 0, UINT64_MAX},
      {R"({"driver":"vmdk","file":{"driver":"raw","offset":1536,"size":"2M",
          "file":{"driver":"file","filename":"/b"}}})",
       Format::kVmdk, "", 1536, 2U << 20},
      {R"({"driver":"qcow2","file":{"driver":"compress","file":{"driver":"raw","offset":"1k",
          "file.filename":"/b"}}})",
       Format::kQcow2, "", 1024, UINT64_MAX},
  };
  for (const auto& row : rows) {
    const auto layers = Parse(row.json);
    ASSERT_TRUE(layers) << row.json << ": " << layers.error().Message();
    const BackingLayer& layer = layers->front();
    EXPECT_EQ(layer.target.name, "/b") << row.json;
    EXPECT_EQ(layer.format, row.format) << row.json;
    EXPECT_EQ(layer.wrapper, row.wrapper) << row.json;
    EXPECT_EQ(layer.slice.begin, row.begin) << row.json;
    EXPECT_EQ(layer.slice.size, row.size) << row.json;
  }
}

TEST(JsonName, TheBackingFileIsThatOfTheFormatBehindItsWrapper) {
  const auto layers = Parse(R"({"driver":"raw","file":{"driver":"qcow2","file.filename":"/a",
      "backing":{"driver":"throttle","file":{"driver":"qed","file.filename":"/b",
      "backing":null}}}})");
  ASSERT_TRUE(layers) << layers.error().Message();
  ASSERT_EQ(layers->size(), 2U);
  EXPECT_EQ((*layers)[0].target.name, "/a");
  EXPECT_EQ((*layers)[1].target.name, "/b");
  EXPECT_EQ((*layers)[1].format, Format::kQed);
  EXPECT_EQ((*layers)[1].below, Below::kNothing);
}

TEST(JsonName, RelativeNamesBeginInTheWorkingDirectory) {
  EXPECT_EQ(Parse(R"({"file.filename":"b"})")->front().target.relative_to,
            RelativeTo::kWorkingDirectory);
}

TEST(JsonName, NetworkDriversAreNamedWhole) {
  for (const char* json :
       {R"({"driver":"nbd","server.type":"unix","server.path":"/run/s"})",
        R"({"driver":"qcow2","file":{"driver":"rbd","pool":"p","image":"i"}})",
        R"({"driver":"raw","file.driver":"https","file.url":"https://host/x"})",
        R"({"driver":"gluster","volume":"v","path":"p","server":[{"type":"tcp","host":"h"}]})"}) {
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
      {R"({"driver":"qed","file":{"driver":"qcow2","file.filename":"/a"}})",
       ErrorCode::kUnsupported, "the format driver 'qcow2' below another format driver"},
      {R"({"file":{"driver":"qcow2","file.filename":"/a"}})", ErrorCode::kUnsupported,
       "the format driver 'qcow2' below another format driver"},
      {R"({"driver":"quorum","children.0.filename":"/a"})", ErrorCode::kUnsupported, "'quorum'"},
      {R"({"driver":"quorum","children":[{"driver":"file","filename":"/a"}]})",
       ErrorCode::kUnsupported, "'quorum'"},
      {R"({"driver":"blkdebug","config":"/c","image":{"driver":"file","filename":"/a"}})",
       ErrorCode::kUnsupported, "the driver 'blkdebug', which cannot be followed"},
      {R"({"driver":"blkverify","raw.filename":"/a","test.filename":"/b"})",
       ErrorCode::kUnsupported, "'blkverify'"},
      {R"({"driver":"raw","file":{"driver":"vvfat","dir":"/etc"}})", ErrorCode::kUnsupported,
       "the driver 'vvfat', which cannot be followed"},
      {R"({"driver":"throttle","file":{"filename":"/a"}})", ErrorCode::kUnsupported,
       "a filter over something undeclared: it has no 'file.driver'"},
      {R"({"driver":"qcow2","file":{"driver":"throttle","file.filename":"/a"}})",
       ErrorCode::kUnsupported, "undeclared: it has no 'file.file.driver'"},
      {R"({"driver":"throttle","file":"node0"})", ErrorCode::kUnsupported, "node of a running"},
      {R"({"driver":"throttle","file":{"driver":"qcow2","file.filename":"/a"},"backing":null})",
       ErrorCode::kUnsupported, "gives 'backing' to the driver 'throttle', which has none"},
      {R"({"driver":"raw","file":{"driver":"qcow2","file.filename":"/a"},"data-file":"d"})",
       ErrorCode::kUnsupported, "gives 'data-file' to the driver 'raw'"},
      {R"({"driver":"qed","file":{"driver":"raw","offset":-1,"file.filename":"/a"}})",
       ErrorCode::kInvalidArgument, "gives 'file.offset' as something else than a number of bytes"},
      {R"({"driver":"qed","file":{"driver":"raw","offset":"0x10","file.filename":"/a"}})",
       ErrorCode::kInvalidArgument, "gives 'file.offset'"},
      {R"({"driver":"qed","file":{"driver":"raw","size":"16E","file.filename":"/a"}})",
       ErrorCode::kInvalidArgument, "gives 'file.size'"},
      {R"({"driver":"qed","file":{"driver":"raw","offset":1,"file":{"driver":"raw","offset":1,
          "file.filename":"/a"}}})",
       ErrorCode::kUnsupported, "a part of a part"},
      {R"({"driver":"vmdk","file.filename":"/a","extents.0.filename":"/b"})",
       ErrorCode::kUnsupported, "describes extents by 'extents'"},
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
