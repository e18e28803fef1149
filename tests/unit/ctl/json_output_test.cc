// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/json_output.h"

#include <gtest/gtest.h>

namespace openhook::ctl {
namespace {

Json PathObject(std::string_view path) {
  Json json;
  SetPath(&json, "path", path);
  return json;
}

TEST(JsonPath, StandsAsItIsWhenItIsUtf8) {
  EXPECT_EQ(Dump(PathObject("/srv/a.img")), R"({"path":"/srv/a.img"})");
  EXPECT_EQ(PathObject("/sch\u00f6n")["path"], "/sch\u00f6n");
  EXPECT_FALSE(PathObject("/sch\u00f6n").contains("path_hex"));
  // U+FFFD in a name is a character like any other, not a sign of a broken one.
  EXPECT_FALSE(PathObject("/\ufffd").contains("path_hex"));
}

TEST(JsonPath, GivesTheExactBytesWhenItIsNotUtf8) {
  EXPECT_EQ(Dump(PathObject("/a\xff"
                            "b")),
            R"({"path":"/a\\xffb","path_hex":"2f61ff62"})");
}

TEST(JsonDump, IsOneLineOfPrintableAscii) {
  const std::string line = Dump(PathObject("/a\n\x1b[31m\x7f\u0085\u202e"));
  for (const char c : line) {
    EXPECT_TRUE(c >= 0x20 && c < 0x7f) << line;
  }
  EXPECT_EQ(Json::parse(line)["path"], "/a\n\x1b[31m\x7f\u0085\u202e");
}

TEST(JsonDump, SurvivesAStringThatIsNotUtf8) {
  EXPECT_EQ(Dump(Json{{"reason", "\xff"}}), R"({"reason":"\ufffd"})");
}

TEST(JsonGrant, HasTheDocumentedFieldsInTheirOrder) {
  proto::GrantInfo grant;
  grant.set_id(7);
  grant.set_lease("device:vda");
  grant.set_path("/srv/a.qcow2");
  grant.add_aliases("/srv/x/../a.qcow2");
  grant.set_access(proto::GRANT_ACCESS_READ_WRITE);
  grant.set_kind(proto::FILE_KIND_REGULAR);
  grant.set_format("qcow2");
  grant.set_role("image");
  grant.set_dev(64769);
  grant.set_ino(12);
  EXPECT_EQ(Dump(GrantToJson(grant)),
            R"({"id":7,"lease":"device:vda","path":"/srv/a.qcow2",)"
            R"("aliases":["/srv/x/../a.qcow2"],"access":"read-write","kind":"file","source":"",)"
            R"("format":"qcow2","role":"image","depth":0,"dev":64769,"ino":12,"mount_id":0,)"
            R"("created":"1970-01-01T00:00:00Z","stale":false,"ended":false,"shareable":false})");
}

TEST(JsonGrant, GivesAllAliasesInHexWhenOneIsNotUtf8) {
  proto::GrantInfo grant;
  grant.add_aliases("/a");
  grant.add_aliases("/\xff");
  const Json json = GrantToJson(grant);
  EXPECT_EQ(json["aliases"], Json::array({"/a", "/\\xff"}));
  EXPECT_EQ(json["aliases_hex"], Json::array({"2f61", "2fff"}));
}

TEST(JsonExplain, NamesEachLeaseOnce) {
  proto::ExplainReply explained;
  explained.set_allow(true);
  for (const char* lease : {"device:vda", "admin:alice", "device:vda"}) {
    explained.add_grants()->set_lease(lease);
  }
  const Json json = ExplainToJson("/a", explained);
  EXPECT_EQ(json["decision"], "allow");
  EXPECT_EQ(json["leases"], Json::array({"admin:alice", "device:vda"}));
  EXPECT_EQ(json["recent"], Json::array());
}

TEST(JsonStatus, SaysWhetherALabelIsDemanded) {
  proto::StatusReply status;
  EXPECT_EQ(StatusToJson(status)["peer_label_demanded"], false);
  status.set_peer_label("svirt");
  EXPECT_EQ(StatusToJson(status)["peer_label_demanded"], true);
  EXPECT_EQ(StatusToJson(status)["peer_label"], "svirt");
}

}  // namespace
}  // namespace openhook::ctl
