// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/chain/reader_channel.h"

#include <string>

#include "broker/base/text.h"
#include "proto/bundle.h"

namespace openhook::chain {

namespace {

// kMaxRead and what is around it, or a message with two paths.
constexpr std::size_t kMaxPacket = 64 * std::size_t{1024};

}  // namespace

ReaderChannel::ReaderChannel(UniqueFd socket) : socket_(std::move(socket)), buffer_(kMaxPacket) {}

Result<void> ReaderChannel::Say(const google::protobuf::MessageLite& message) {
  const std::string packet = message.SerializeAsString();
  const SentBundle sent = SendBundle(socket_.Get(), packet.data(), packet.size(), WaitMode::kWait);
  if (sent.status != BundleStatus::kOk) {
    return Fail(ErrorCode::kIo, "the reader of headers is gone");
  }
  return {};
}

Result<void> ReaderChannel::Hear(google::protobuf::MessageLite* message) {
  const ReceivedBundle packet = ReceiveBundle(socket_.Get(), buffer_.data(), buffer_.size(),
                                              DescriptorRule::kNone, WaitMode::kWait);
  if (packet.status == BundleStatus::kClosed) {
    return Fail(ErrorCode::kIo, "the reader of headers is gone");
  }
  if (packet.status != BundleStatus::kOk ||
      !message->ParseFromArray(buffer_.data(), static_cast<int>(packet.size))) {
    return Fail(ErrorCode::kCorrupt, "the reader of headers speaks nonsense");
  }
  return {};
}

void ToWire(const Error& from, proto::ReaderError* to) {
  to->set_code(static_cast<std::uint32_t>(from.code));
  to->set_sys_errno(from.sys_errno);
  to->set_context(from.context);
}

Error FromWire(const proto::ReaderError& from) {
  const auto code = from.code() <= static_cast<std::uint32_t>(ErrorCode::kIo)
                        ? static_cast<ErrorCode>(from.code())
                        : ErrorCode::kIo;
  return {code, from.sys_errno(), OneLine(from.context())};
}

}  // namespace openhook::chain
