// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace openhook::ctl {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(RenderGrants, ShowsAliasesRolesAndStaleness) {
  google::protobuf::RepeatedPtrField<proto::GrantInfo> grants;
  proto::GrantInfo* grant = grants.Add();
  grant->set_id(3);
  grant->set_path("/srv/a");
  grant->add_aliases("/srv/b/../a");
  grant->set_access(proto::GRANT_ACCESS_READ);
  grant->set_kind(proto::FILE_KIND_REGULAR);
  grant->set_source("disk vda");
  grant->set_role("backing");
  grant->set_depth(2);
  grant->set_lease("l");
  grant->set_stale(true);
  EXPECT_EQ(RenderGrants(grants),
            "ID  ACCESS  KIND        FORMAT  LEASE  SOURCE                PATH\n"
            " 3  read    file STALE  -       l      disk vda (backing 2)  /srv/a\n"
            "                                       also as               /srv/b/../a\n");
}

TEST(RenderGrants, SaysWhatOtherVmsMayWriteTo) {
  google::protobuf::RepeatedPtrField<proto::GrantInfo> grants;
  grants.Add()->set_access(proto::GRANT_ACCESS_READ_WRITE);
  EXPECT_THAT(RenderGrants(grants), Not(HasSubstr("shareable")));
  grants.Mutable(0)->set_shareable(true);
  EXPECT_THAT(RenderGrants(grants), HasSubstr("read-write, shareable"));
}

proto::Event DeniedOpen() {
  proto::Event event;
  event.set_operation("open");
  event.set_verdict("deny");
  event.set_access("read");
  event.set_path("/etc/shadow\n");
  event.set_rule("not-whitelisted");
  event.set_reason("nobody granted it");
  event.set_pid(42);
  event.set_uid(64055);
  return event;
}

TEST(RenderEvent, IsOneEscapedLine) {
  EXPECT_EQ(RenderEvent(DeniedOpen()),
            "1970-01-01T00:00:00.000Z deny  open read '/etc/shadow\\x0a': nobody granted it "
            "[not-whitelisted] (pid 42 uid 64055)\n");
}

TEST(RenderEvent, LeavesOutWhatAnAllowedOneDoesNotHave) {
  proto::Event event;
  event.set_verdict("allow");
  event.set_operation("start");
  event.set_rule("granted");
  EXPECT_EQ(RenderEvent(event), "1970-01-01T00:00:00.000Z allow start [granted] (pid 0 uid 0)\n");
}

TEST(RenderEvent, ShowsRemedyLabelAndRepetitionsWhereThereAreAny) {
  proto::Event event = DeniedOpen();
  EXPECT_THAT(RenderEvent(event), Not(HasSubstr("remedy")));
  event.set_remedy("grant it\x1b");
  event.set_label("libvirt-1");
  event.set_repeated_times(5);
  const std::string text = RenderEvent(event);
  EXPECT_THAT(text, HasSubstr("label libvirt-1"));
  EXPECT_THAT(text, HasSubstr(" 6 times"));
  EXPECT_THAT(text, HasSubstr("\n    remedy: grant it\\x1b\n"));
}

}  // namespace
}  // namespace openhook::ctl
