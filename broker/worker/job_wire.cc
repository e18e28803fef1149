// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/worker/job_wire.h"

#include <cstring>

#include "proto/worker.pb.h"

namespace openhook::worker {

namespace {

void ToWire(const FileIdentity& from, proto::WorkerIdentity* to) {
  to->set_kind(static_cast<std::uint32_t>(from.kind));
  to->set_dev(from.dev);
  to->set_ino(from.ino);
  to->set_mount_id(from.mount_id);
  to->set_rdev(from.rdev);
  to->set_birth_ns(from.birth_ns);
  to->set_birth_settled(from.birth_settled);
  to->set_handle(from.handle);
}

FileIdentity FromWire(const proto::WorkerIdentity& from) {
  FileIdentity to;
  // An unknown kind is one that is never opened.
  to.kind = from.kind() < static_cast<std::uint32_t>(FileKind::kOther)
                ? static_cast<FileKind>(from.kind())
                : FileKind::kOther;
  to.dev = from.dev();
  to.ino = from.ino();
  to.mount_id = from.mount_id();
  to.rdev = from.rdev();
  to.birth_ns = from.birth_ns();
  to.birth_settled = from.birth_settled();
  to.handle = from.handle();
  return to;
}

void ToWire(const OpenIntent& from, proto::WorkerIntent* to) {
  to->set_access(static_cast<std::uint32_t>(from.access));
  to->set_direct(from.direct);
  to->set_sync(from.sync);
  to->set_data_sync(from.data_sync);
  to->set_append(from.append);
  to->set_truncate(from.truncate);
  to->set_nonblock(from.nonblock);
  to->set_mode(from.mode);
}

OpenIntent FromWire(const proto::WorkerIntent& from) {
  OpenIntent to;
  to.access = from.access() <= static_cast<std::uint32_t>(Access::kReadWrite)
                  ? static_cast<Access>(from.access())
                  : Access::kRead;
  to.direct = from.direct();
  to.sync = from.sync();
  to.data_sync = from.data_sync();
  to.append = from.append();
  to.truncate = from.truncate();
  to.nonblock = from.nonblock();
  to.mode = from.mode();
  return to;
}

void ToWire(const Error& from, proto::WorkerError* to) {
  to->set_code(static_cast<std::uint32_t>(from.code));
  to->set_sys_errno(from.sys_errno);
  to->set_context(from.context);
}

Error FromWire(const proto::WorkerError& from) {
  const auto code = from.code() <= static_cast<std::uint32_t>(ErrorCode::kIo)
                        ? static_cast<ErrorCode>(from.code())
                        : ErrorCode::kIo;
  return {code, from.sys_errno(), from.context()};
}

Error NotUnderstood() {
  return {ErrorCode::kCorrupt, EIO, "a worker process answered something else than was asked"};
}

std::string Serialized(const proto::WorkerAnswer& answer) { return answer.SerializeAsString(); }

Product Pack(FileResult result) {
  proto::WorkerAnswer answer;
  proto::WorkerFileResult* file = answer.mutable_file();
  if (result.error) {
    ToWire(*result.error, file->mutable_error());
  }
  file->set_alias_failed(result.alias_failed);
  file->set_exists(result.exists);
  if (result.attributes) {
    file->set_attributes(&*result.attributes, sizeof(*result.attributes));
  }
  if (result.identity) {
    ToWire(*result.identity, file->mutable_identity());
  }
  return {Serialized(answer), std::move(result.fd)};
}

// The broker's own words, so a path that is not canonical is a broken invariant of ours; it is
// answered all the same, because a worker that dies is only started again.
Product Do(const proto::WorkerFileJob& message) {
  const auto path = CanonicalPath::Parse(message.path());
  if (!path || message.kind() > static_cast<std::uint32_t>(FileJobKind::kConfirm)) {
    FileResult refused;
    refused.error = NotUnderstood();
    return Pack(std::move(refused));
  }
  const FileIdentity pinned = FromWire(message.pinned());
  const FileIdentity directory = FromWire(message.directory());
  const FileIdentity alias_identity = FromWire(message.alias_identity());
  const OpenIntent intent = FromWire(message.intent());
  return Pack(Perform(FileJob{.kind = static_cast<FileJobKind>(message.kind()),
                              .path = &*path,
                              .pinned = &pinned,
                              .directory = &directory,
                              .alias = message.alias(),
                              .alias_identity = &alias_identity,
                              .intent = &intent}));
}

Product Do(const proto::WorkerPinJob& message) {
  PinJob job;
  job.forbidden.assign(message.forbidden().begin(), message.forbidden().end());
  for (const proto::WorkerPinWish& wish : message.wishes()) {
    job.wishes.push_back({wish.path(),
                          {wish.aliases().begin(), wish.aliases().end()},
                          wish.may_be_new() ? NewName::kAllowed : NewName::kRefused,
                          wish.expected_dev(),
                          wish.expected_ino()});
  }
  proto::WorkerAnswer answer;
  const auto pinned = Perform(job);
  if (!pinned) {
    ToWire(pinned.error(), answer.mutable_pin()->mutable_error());
    return {Serialized(answer), std::nullopt};
  }
  answer.mutable_pin();
  for (const Pinned& one : *pinned) {
    proto::WorkerPinned* to = answer.mutable_pin()->add_pinned();
    to->set_path(one.path.str());
    to->set_may_block(one.may_block);
    if (one.identity) {
      ToWire(*one.identity, to->mutable_identity());
    }
    if (one.directory) {
      ToWire(*one.directory, to->mutable_directory());
    }
  }
  return {Serialized(answer), std::nullopt};
}

Product Do(const proto::WorkerChainJob& message) {
  proto::WorkerAnswer answer;
  auto grants = Perform(ChainJob{message.image(), message.format(), message.top(), message.source(),
                                 message.shareable()});
  if (grants) {
    *answer.mutable_chain()->mutable_grants() = std::move(*grants);
  } else {
    ToWire(grants.error(), answer.mutable_chain()->mutable_error());
  }
  return {Serialized(answer), std::nullopt};
}

bool ParseAnswer(std::string_view bytes, proto::WorkerAnswer* answer) {
  return answer->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

std::string Encode(const FileJob& job) {
  proto::WorkerJob message;
  proto::WorkerFileJob* file = message.mutable_file();
  file->set_kind(static_cast<std::uint32_t>(job.kind));
  file->set_path(job.path->str());
  file->set_alias(job.alias.data(), job.alias.size());
  if (job.pinned != nullptr) {
    ToWire(*job.pinned, file->mutable_pinned());
  }
  if (job.directory != nullptr) {
    ToWire(*job.directory, file->mutable_directory());
  }
  if (job.alias_identity != nullptr) {
    ToWire(*job.alias_identity, file->mutable_alias_identity());
  }
  if (job.intent != nullptr) {
    ToWire(*job.intent, file->mutable_intent());
  }
  return message.SerializeAsString();
}

std::string Encode(const PinJob& job) {
  proto::WorkerJob message;
  proto::WorkerPinJob* pin = message.mutable_pin();
  for (const std::string& tree : job.forbidden) {
    pin->add_forbidden(tree);
  }
  for (const PinWish& wish : job.wishes) {
    proto::WorkerPinWish* to = pin->add_wishes();
    to->set_path(wish.path);
    to->set_may_be_new(wish.new_name == NewName::kAllowed);
    to->set_expected_dev(wish.expected_dev);
    to->set_expected_ino(wish.expected_ino);
    for (const std::string& alias : wish.aliases) {
      to->add_aliases(alias);
    }
  }
  return message.SerializeAsString();
}

std::string Encode(const ChainJob& job) {
  proto::WorkerJob message;
  proto::WorkerChainJob* chain = message.mutable_chain();
  chain->set_image(job.image);
  chain->set_format(job.format);
  chain->set_top(job.top);
  chain->set_source(job.source);
  chain->set_shareable(job.shareable);
  return message.SerializeAsString();
}

Product PerformEncoded(std::span<const std::uint8_t> job) {
  proto::WorkerJob message;
  if (message.ParseFromArray(job.data(), static_cast<int>(job.size()))) {
    if (message.has_file()) {
      return Do(message.file());
    }
    if (message.has_pin()) {
      return Do(message.pin());
    }
    if (message.has_chain()) {
      return Do(message.chain());
    }
  }
  return {Serialized({}), std::nullopt};
}

FileResult DecodeFileResult(std::string_view bytes) {
  FileResult result;
  proto::WorkerAnswer answer;
  if (!ParseAnswer(bytes, &answer) || !answer.has_file()) {
    result.error = NotUnderstood();
    return result;
  }
  const proto::WorkerFileResult& file = answer.file();
  if (file.has_error()) {
    result.error = FromWire(file.error());
  }
  result.alias_failed = file.alias_failed();
  result.exists = file.exists();
  if (file.attributes().size() == sizeof(struct stat)) {
    std::memcpy(&result.attributes.emplace(), file.attributes().data(), sizeof(struct stat));
  }
  if (file.has_identity()) {
    result.identity = FromWire(file.identity());
  }
  return result;
}

Result<std::vector<Pinned>> DecodePinResult(std::string_view bytes) {
  proto::WorkerAnswer answer;
  if (!ParseAnswer(bytes, &answer) || !answer.has_pin()) {
    return tl::make_unexpected(NotUnderstood());
  }
  if (answer.pin().has_error()) {
    return tl::make_unexpected(FromWire(answer.pin().error()));
  }
  std::vector<Pinned> all;
  for (const proto::WorkerPinned& one : answer.pin().pinned()) {
    auto path = CanonicalPath::Parse(one.path());
    if (!path) {
      return tl::make_unexpected(NotUnderstood());
    }
    Pinned pinned{std::move(*path)};
    if (one.has_identity()) {
      pinned.identity = FromWire(one.identity());
    }
    if (one.has_directory()) {
      pinned.directory = FromWire(one.directory());
    }
    pinned.may_block = one.may_block();
    all.push_back(std::move(pinned));
  }
  return all;
}

Result<proto::GrantRequest> DecodeChainResult(std::string_view bytes) {
  proto::WorkerAnswer answer;
  if (!ParseAnswer(bytes, &answer) || !answer.has_chain()) {
    return tl::make_unexpected(NotUnderstood());
  }
  if (answer.chain().has_error()) {
    return tl::make_unexpected(FromWire(answer.chain().error()));
  }
  return std::move(*answer.mutable_chain()->mutable_grants());
}

}  // namespace openhook::worker
