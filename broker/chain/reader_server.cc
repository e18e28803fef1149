// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/chain/reader_server.h"

#include <algorithm>
#include <optional>

#include "broker/base/limits.h"
#include "broker/base/text.h"

namespace openhook::chain {

namespace {

// Images with their data files, and extents.
constexpr std::size_t kMaxMembers = 2 * limits::kMaxChainDepth + limits::kMaxChainExtents;
// Names that lead to nothing are asked for too (QEMU tries more than one place for some).
constexpr std::size_t kMaxOpens = 2 * kMaxMembers;

Result<void> Nonsense(const char* what) {
  return Fail(ErrorCode::kCorrupt, std::string("the reader of headers ") + what +
                                       "; one of the images may have broken it");
}

template <class Enum>
std::optional<Enum> Among(std::uint32_t value, Enum last) {
  return value <= static_cast<std::uint32_t>(last) ? std::optional(static_cast<Enum>(value))
                                                   : std::nullopt;
}

}  // namespace

Result<image::Chain> ReaderServer::Serve() {
  for (;;) {
    proto::ReaderSays said;
    if (!reader_->Hear(&said)) {
      return Nonsense("has died").map([] { return image::Chain(); });
    }
    if (said.has_done() && said.done().has_error()) {
      return tl::make_unexpected(FromWire(said.done().error()));
    }
    if (said.has_done()) {
      chain_.image_format =
          said.done().probed() ? image::FormatSource::kProbed : image::FormatSource::kDeclared;
      return std::move(chain_);
    }
    if (auto taken = Take(said); !taken) {
      return tl::make_unexpected(taken.error());
    }
  }
}

Result<void> ReaderServer::Take(const proto::ReaderSays& said) {
  switch (said.body_case()) {
    case proto::ReaderSays::kOpen:
      return Open(said.open());
    case proto::ReaderSays::kRead:
      return Read(said.read());
    case proto::ReaderSays::kClose:
      bytes_.erase(said.close());
      return {};
    case proto::ReaderSays::kMember:
      return AddMember(said.member());
    case proto::ReaderSays::kNetwork:
      return AddNetworkMember(said.network());
    case proto::ReaderSays::kWarning:
      return AddWarning(said.warning());
    default:
      return Nonsense("says what nobody knows");
  }
}

Result<void> ReaderServer::Refuse(const Error& error) {
  proto::ReaderHears answer;
  ToWire(error, answer.mutable_error());
  return reader_->Say(answer);
}

Result<void> ReaderServer::Open(const std::string& spelling) {
  if (++opens_ > kMaxOpens) {
    return Nonsense("asks for more files than a chain may have");
  }
  Result<image::OpenedMember> member = opener_->Open(spelling);
  if (!member) {
    return Refuse(member.error());
  }
  proto::ReaderHears answer;
  proto::ReaderOpened* opened = answer.mutable_opened();
  opened->set_member(static_cast<std::uint32_t>(opens_));
  opened->set_path(member->path.str());
  opened->set_kind(static_cast<std::uint32_t>(member->identity.kind));
  opened->set_device(member->identity.device);
  opened->set_inode(member->identity.inode);
  if (member->bytes != nullptr) {
    bytes_[opened->member()] = std::move(member->bytes);
  }
  opened_.insert_or_assign(spelling, Opened{std::move(member->path), member->identity});
  return reader_->Say(answer);
}

Result<void> ReaderServer::Read(const proto::ReaderBytes& wanted) {
  const auto member = bytes_.find(wanted.member());
  if (member == bytes_.end() || wanted.size() > kMaxRead) {
    return Nonsense("reads what was not opened for it");
  }
  proto::ReaderHears answer;
  std::string* data = answer.mutable_data();
  data->resize(wanted.size());
  const Result<std::size_t> read = member->second->ReadAt(wanted.offset(), *data);
  if (!read) {
    return Refuse(read.error());
  }
  data->resize(*read);
  return reader_->Say(answer);
}

Result<void> ReaderServer::AddMember(const proto::ReaderMember& said) {
  const auto opened = opened_.find(said.name());
  const auto format = Among(said.format(), image::Format::kDmg);
  const auto role = Among(said.role(), image::MemberRole::kExtent);
  const auto access = Among(said.access(), image::MemberAccess::kReadWrite);
  if (opened == opened_.end() || opened->second.path.str() != said.path() || !format || !role ||
      !access || said.depth() > limits::kMaxChainDepth || chain_.members.size() >= kMaxMembers) {
    return Nonsense("names a member that it did not open");
  }
  chain_.members.push_back({said.name(), opened->second.path, opened->second.identity, *format,
                            *role, said.depth(), *access});
  return {};
}

Result<void> ReaderServer::AddNetworkMember(const proto::ReaderNetworkMember& said) {
  if (chain_.network.size() >= kMaxMembers) {
    return Nonsense("names more members than a chain may have");
  }
  chain_.network.push_back({said.name(), said.depth()});
  return {};
}

Result<void> ReaderServer::AddWarning(const std::string& warning) {
  if (chain_.warnings.size() >= kMaxMembers) {
    return Nonsense("warns without end");
  }
  chain_.warnings.push_back(OneLine(warning));
  return {};
}

}  // namespace openhook::chain
