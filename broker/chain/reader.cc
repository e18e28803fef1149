// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/chain/reader.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "broker/chain/reader_channel.h"
#include "broker/image/chain.h"

namespace openhook::chain {

namespace {

Result<proto::ReaderHears> Ask(ReaderChannel* parent, const proto::ReaderSays& question) {
  proto::ReaderHears answer;
  auto heard = parent->Say(question).and_then([&] { return parent->Hear(&answer); });
  if (!heard) {
    return tl::make_unexpected(heard.error());
  }
  if (answer.has_error()) {
    return tl::make_unexpected(FromWire(answer.error()));
  }
  return answer;
}

class RemoteBytes final : public image::ByteSource {
 public:
  RemoteBytes(ReaderChannel* parent, std::uint32_t member) : parent_(parent), member_(member) {}
  ~RemoteBytes() override {
    proto::ReaderSays close;
    close.set_close(member_);
    (void)parent_->Say(close);
  }
  RemoteBytes(const RemoteBytes&) = delete;
  RemoteBytes& operator=(const RemoteBytes&) = delete;

  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<char> buffer) const override {
    std::size_t done = 0;
    while (done < buffer.size()) {
      const std::span<char> rest = buffer.subspan(done, std::min(buffer.size() - done, kMaxRead));
      proto::ReaderSays question;
      proto::ReaderBytes* bytes = question.mutable_read();
      bytes->set_member(member_);
      bytes->set_offset(offset + done);
      bytes->set_size(static_cast<std::uint32_t>(rest.size()));
      const Result<proto::ReaderHears> answer = Ask(parent_, question);
      if (!answer) {
        return tl::make_unexpected(answer.error());
      }
      const std::string_view data = answer->data();
      std::memcpy(rest.data(), data.data(), std::min(data.size(), rest.size()));
      done += data.size();
      if (data.size() < rest.size()) {
        break;
      }
    }
    return done;
  }

 private:
  ReaderChannel* parent_;
  std::uint32_t member_;
};

class RemoteOpener final : public image::MemberOpener {
 public:
  explicit RemoteOpener(ReaderChannel* parent) : parent_(parent) {}

  Result<image::OpenedMember> Open(std::string_view spelling) override {
    proto::ReaderSays question;
    question.set_open(spelling.data(), spelling.size());
    const Result<proto::ReaderHears> answer = Ask(parent_, question);
    if (!answer) {
      return tl::make_unexpected(answer.error());
    }
    const proto::ReaderOpened& opened = answer->opened();
    auto path = CanonicalPath::Parse(opened.path());
    if (!path) {
      return tl::make_unexpected(path.error());
    }
    const auto kind = static_cast<image::MemberKind>(opened.kind());
    return image::OpenedMember{std::move(*path),
                               {kind, opened.device(), opened.inode()},
                               kind == image::MemberKind::kOther
                                   ? nullptr
                                   : std::make_unique<RemoteBytes>(parent_, opened.member())};
  }

 private:
  ReaderChannel* parent_;
};

void Fill(const image::ChainMember& from, proto::ReaderMember* to) {
  to->set_name(from.name);
  to->set_path(from.path.str());
  to->set_format(static_cast<std::uint32_t>(from.format));
  to->set_role(static_cast<std::uint32_t>(from.role));
  to->set_depth(static_cast<std::uint32_t>(from.depth));
  to->set_access(static_cast<std::uint32_t>(from.access));
}

// A parent that does not listen any more learns nothing, which is right.
void Tell(ReaderChannel* parent, const image::Chain& chain) {
  proto::ReaderSays said;
  for (const image::ChainMember& member : chain.members) {
    Fill(member, said.mutable_member());
    (void)parent->Say(said);
  }
  for (const image::NetworkMember& member : chain.network) {
    said.mutable_network()->set_name(member.name);
    said.mutable_network()->set_depth(static_cast<std::uint32_t>(member.depth));
    (void)parent->Say(said);
  }
  for (const std::string& warning : chain.warnings) {
    said.set_warning(warning);
    (void)parent->Say(said);
  }
}

}  // namespace

void RunReader(UniqueFd socket, const std::string& image, std::optional<image::Format> declared,
               image::Reach reach) {
  ReaderChannel parent(std::move(socket));
  RemoteOpener opener(&parent);
  const Result<image::Chain> chain = image::WalkChain(opener, image, declared, reach);
  proto::ReaderSays last;
  if (chain) {
    Tell(&parent, *chain);
    last.mutable_done()->set_probed(chain->image_format == image::FormatSource::kProbed);
  } else {
    ToWire(chain.error(), last.mutable_done()->mutable_error());
  }
  (void)parent.Say(last);
}

}  // namespace openhook::chain
