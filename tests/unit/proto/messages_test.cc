// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The shim encodes with nanopb, the broker decodes with protobuf: both have to mean the same bytes.

#include <gtest/gtest.h>
#include <pb_decode.h>
#include <pb_encode.h>

#include <cstring>
#include <string>
#include <vector>

#include "proto/openhook.pb.h"
#include "proto/openhook.pb_c.h"

namespace openhook {
namespace {

TEST(Messages, WhatTheShimEncodesTheBrokerReads) {
  openhook_proto_Request request = openhook_proto_Request_init_zero;
  request.id = 7;
  request.which_body = openhook_proto_Request_open_tag;
  const std::string path = "/srv/\xff\n.img";
  request.body.open.path.size = static_cast<pb_size_t>(path.size());
  std::memcpy(request.body.open.path.bytes, path.data(), path.size());
  request.body.open.access = openhook_proto_Access_ACCESS_READ_WRITE;
  request.body.open.direct = true;
  request.body.open.mode = 0644;
  request.body.open.token = 0x0123456789abcdefULL;

  std::vector<pb_byte_t> bytes(9000);
  pb_ostream_t out = pb_ostream_from_buffer(bytes.data(), bytes.size());
  ASSERT_TRUE(pb_encode(&out, openhook_proto_Request_fields, &request));

  proto::Request read;
  ASSERT_TRUE(read.ParseFromArray(bytes.data(), static_cast<int>(out.bytes_written)));
  EXPECT_EQ(read.id(), 7U);
  EXPECT_EQ(read.open().path(), path);
  EXPECT_EQ(read.open().access(), proto::ACCESS_READ_WRITE);
  EXPECT_TRUE(read.open().direct());
  EXPECT_FALSE(read.open().sync());
  EXPECT_EQ(read.open().mode(), 0644U);
  EXPECT_EQ(read.open().token(), 0x0123456789abcdefULL);
}

TEST(Messages, WhatTheBrokerEncodesTheShimReads) {
  proto::Reply reply;
  reply.set_id(9);
  reply.set_outcome(proto::OUTCOME_DENIED);
  reply.set_sys_errno(13);
  reply.set_reason(std::string(255, 'r'));
  reply.mutable_stat()->set_size(-1);
  const std::string bytes = reply.SerializeAsString();

  openhook_proto_Reply read = openhook_proto_Reply_init_zero;
  pb_istream_t in =
      pb_istream_from_buffer(reinterpret_cast<const pb_byte_t*>(bytes.data()), bytes.size());
  ASSERT_TRUE(pb_decode(&in, openhook_proto_Reply_fields, &read)) << PB_GET_ERROR(&in);
  EXPECT_EQ(read.id, 9U);
  EXPECT_EQ(read.sys_errno, 13);
  EXPECT_EQ(std::strlen(read.reason), 255U);
  EXPECT_EQ(read.which_body, openhook_proto_Reply_stat_tag);
  EXPECT_EQ(read.body.stat.size, -1);
}

}  // namespace
}  // namespace openhook
