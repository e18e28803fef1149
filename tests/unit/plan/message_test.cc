// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/plan/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/base/limits.h"
#include "proto/plan.pb.h"

namespace openhook::plan {
namespace {

proto::PlanReply OneFile() {
  proto::PlanReply reply;
  proto::PlannedFile* file = reply.mutable_plan()->add_files();
  file->set_path("/vm/a");
  file->set_access(proto::PLANNED_ACCESS_READ);
  file->set_kind(proto::PLANNED_KIND_FILE);
  return reply;
}

bool IsBelieved(const proto::PlanReply& reply) {
  return Decode(reply.SerializeAsString()).has_value();
}

TEST(PlanMessage, EveryFieldArrives) {
  domain::Plan plan{"uuid", "na\xffme", "1-name"};
  plan.files.push_back({"/vm/\xff\n", domain::Access::kList, domain::Kind::kFifo, "disk vda", 7,
                        "qcow2", domain::Role::kDataFile, domain::Below::kUnknown,
                        domain::Presence::kIfThere, "vda", true});
  plan.devices.push_back(
      {domain::DeviceKind::kRenderNode, "key", domain::Access::kRead, "graphics"});
  plan.network.push_back({"nbd://h/x", "disk vdb", 3});
  plan.refused.push_back({"relative", "disk vdc", "is not absolute"});
  plan.warnings.emplace_back("a warning");
  const auto back = Decode(Encode(plan));
  ASSERT_TRUE(back) << back.error().Message();
  EXPECT_EQ(back->uuid, plan.uuid);
  EXPECT_EQ(back->name, plan.name);
  EXPECT_EQ(back->short_name, plan.short_name);
  ASSERT_EQ(back->files.size(), 1U);
  const domain::WantedFile& file = back->files[0];
  EXPECT_EQ(file.path, "/vm/\xff\n");
  EXPECT_EQ(file.access, domain::Access::kList);
  EXPECT_EQ(file.kind, domain::Kind::kFifo);
  EXPECT_EQ(file.source, "disk vda");
  EXPECT_EQ(file.depth, 7U);
  EXPECT_EQ(file.format, "qcow2");
  EXPECT_EQ(file.role, domain::Role::kDataFile);
  EXPECT_EQ(file.below, domain::Below::kUnknown);
  EXPECT_EQ(file.presence, domain::Presence::kIfThere);
  EXPECT_EQ(file.disk, "vda");
  EXPECT_TRUE(file.shareable);
  ASSERT_EQ(back->devices.size(), 1U);
  EXPECT_EQ(back->devices[0].kind, domain::DeviceKind::kRenderNode);
  EXPECT_EQ(back->devices[0].access, domain::Access::kRead);
  EXPECT_EQ(back->devices[0].key, "key");
  EXPECT_EQ(back->network[0].name, "nbd://h/x");
  EXPECT_EQ(back->network[0].depth, 3U);
  EXPECT_EQ(back->refused[0].reason, "is not absolute");
  EXPECT_EQ(back->warnings[0], "a warning");
}

TEST(PlanMessage, AnErrorArrives) {
  const auto back = Decode(Encode(Fail(ErrorCode::kLimit, "too much")));
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, ErrorCode::kLimit);
  EXPECT_EQ(back.error().Message(), "too much");
}

TEST(PlanMessage, WhatAPlannerMustNotSayIsNotBelieved) {
  ASSERT_TRUE(IsBelieved(OneFile()));
  proto::PlanReply reply = OneFile();
  reply.mutable_plan()->mutable_files(0)->set_path("relative");
  EXPECT_FALSE(IsBelieved(reply));
  reply.mutable_plan()->mutable_files(0)->set_path(std::string("/a\0b", 4));
  EXPECT_FALSE(IsBelieved(reply));
  reply = OneFile();
  reply.mutable_plan()->mutable_files(0)->set_access(proto::PLANNED_ACCESS_UNSPECIFIED);
  EXPECT_FALSE(IsBelieved(reply));
  reply = OneFile();
  reply.mutable_plan()->mutable_files(0)->set_kind(static_cast<proto::PlannedKind>(77));
  EXPECT_FALSE(IsBelieved(reply));
  reply = OneFile();
  reply.mutable_plan()->mutable_files(0)->set_depth(100000);
  EXPECT_FALSE(IsBelieved(reply));
  reply = OneFile();
  reply.mutable_plan()->add_devices()->set_key("x");
  EXPECT_FALSE(IsBelieved(reply));
  EXPECT_FALSE(IsBelieved(proto::PlanReply()));
}

TEST(PlanMessage, MoreThanAPlanCanBeIsNotBelieved) {
  proto::PlanReply reply = OneFile();
  for (std::size_t i = 0; i < limits::kMaxPlanned; ++i) {
    reply.mutable_plan()->add_warnings("x");
  }
  EXPECT_FALSE(IsBelieved(reply));
}

TEST(PlanMessage, SentencesStayOnTheirLine) {
  proto::PlanReply reply = OneFile();
  reply.mutable_plan()->add_warnings("a\x1b[31m\nb");
  reply.mutable_plan()->mutable_files(0)->set_source("s\n");
  const auto plan = Decode(reply.SerializeAsString());
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->warnings[0], "a\\x1b[31m\\x0ab");
  EXPECT_EQ(plan->files[0].source, "s\\x0a");
}

}  // namespace
}  // namespace openhook::plan
