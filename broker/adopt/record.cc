// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/adopt/record.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "broker/base/key_value.h"
#include "broker/base/limits.h"
#include "broker/base/text.h"
#include "broker/fs/directory.h"
#include "broker/fs/text_file.h"

namespace openhook::adopt {

namespace {

constexpr std::string_view kConf = ".conf";
constexpr std::string_view kOriginal = ".original.xml";
constexpr std::string_view kRecord = ".record";
constexpr std::string_view kWrapper = "wrapper";
constexpr std::string_view kAppArmorLabel = "apparmor-label";
constexpr std::string_view kImage = "image";
constexpr std::size_t kUuidBytes = 36;
constexpr std::size_t kMaxRecordBytes = std::size_t{1} << 20;
constexpr mode_t kEverybodyReads = 0644;
constexpr mode_t kOwnerOnly = 0600;
constexpr mode_t kDirectoryMode = 0755;

tl::unexpected<Error> NotUnderstood(const std::string& path, const std::string& why) {
  return Fail(ErrorCode::kCorrupt, "cannot understand " + Quote(path) + " (" + why +
                                       "); put it right or remove it by hand");
}

Result<Settings> ParseSettings(std::string_view text, const std::string& path) {
  const auto lines = ParseKeyValues(text);
  if (!lines) {
    return NotUnderstood(path, lines.error().context);
  }
  Settings settings;
  for (const KeyValue& line : *lines) {
    settings.emplace_back(line.key, line.value);
  }
  return settings;
}

std::string FormatSettings(const Settings& settings) {
  std::string text =
      "# Made by 'openhookctl adopt': this domain is adopted. The lines are options of its "
      "broker,\n"
      "# openhookd, and others may be added. 'openhookctl release' removes this file.\n";
  for (const auto& [key, value] : settings) {
    text += FormatKeyValue(key, value);
  }
  return text;
}

// One image a line, the path last; it has no newline.
std::string FormatRecord(const Record& record) {
  std::string text;
  for (const auto& [key, value] :
       {std::pair(kWrapper, record.wrapper), std::pair(kAppArmorLabel, record.apparmor_label)}) {
    text += value.empty() ? "" : FormatKeyValue(key, value);
  }
  for (const SecuredImage& image : record.images) {
    text += FormatKeyValue(kImage, fmt::format("{} {} {} {:o} {}", image.ino, image.uid, image.gid,
                                               image.mode, image.path));
  }
  return text;
}

template <class Number>
bool TakeNumber(std::string_view* text, int base, Number* number) {
  const auto [end, error] =
      std::from_chars(text->data(), text->data() + text->size(), *number, base);
  text->remove_prefix(static_cast<std::size_t>(end - text->data()));
  const bool good = error == std::errc() && text->starts_with(' ');
  text->remove_prefix(good ? 1 : 0);
  return good;
}

std::optional<SecuredImage> ParseImage(std::string_view text) {
  SecuredImage image;
  constexpr int kOctal = 8;
  constexpr int kDecimal = 10;
  if (!TakeNumber(&text, kDecimal, &image.ino) || !TakeNumber(&text, kDecimal, &image.uid) ||
      !TakeNumber(&text, kDecimal, &image.gid) || !TakeNumber(&text, kOctal, &image.mode) ||
      !text.starts_with('/')) {
    return std::nullopt;
  }
  image.path = text;
  return image;
}

Result<Record> ParseRecord(std::string_view text, const std::string& path) {
  const auto settings = ParseSettings(text, path);
  if (!settings) {
    return tl::make_unexpected(settings.error());
  }
  Record record;
  for (const auto& [key, value] : *settings) {
    if (key == kWrapper) {
      record.wrapper = value;
    } else if (key == kAppArmorLabel) {
      record.apparmor_label = value;
    } else if (const auto image = key == kImage ? ParseImage(value) : std::nullopt) {
      record.images.push_back(*image);
    } else {
      return NotUnderstood(path, fmt::format("its line of {}", Quote(key)));
    }
  }
  return record;
}

Result<std::optional<std::string>> ReadIfThere(const std::string& path, std::size_t limit) {
  auto text = fs::ReadTextFile(path, limit);
  if (!text && text.error().code == ErrorCode::kNotFound) {
    return std::nullopt;
  }
  return std::move(text).map([](std::string read) { return std::optional(std::move(read)); });
}

}  // namespace

Result<UniqueFd> Adoptions::Lock() const {
  const std::string parent = directory_.substr(0, directory_.rfind('/'));
  for (const std::string& directory : {parent, directory_}) {
    if (auto made = fs::EnsurePrivateDirectory(directory, kDirectoryMode); !made) {
      return tl::make_unexpected(made.error());
    }
  }
  auto lock = fs::LockAlone(directory_ + "/.lock");
  if (!lock && lock.error().code == ErrorCode::kConflict) {
    return Fail(ErrorCode::kConflict,
                "another openhookctl adopts or releases a domain at this moment; try again");
  }
  return lock;
}

Result<bool> Adoptions::IsAdopted(const std::string& uuid) const {
  return fs::FileExists(ConfPath(uuid));
}

Result<std::vector<std::string>> Adoptions::All() const {
  auto names = fs::ListDirectory(directory_);
  if (!names && names.error().code == ErrorCode::kNotFound) {
    return std::vector<std::string>();
  }
  return names.map([](const std::vector<std::string>& all) {
    std::vector<std::string> uuids;
    for (const std::string& name : all) {
      if (name.size() == kUuidBytes + kConf.size() && name.ends_with(kConf)) {
        uuids.push_back(name.substr(0, kUuidBytes));
      }
    }
    return uuids;
  });
}

Result<std::optional<std::string>> Adoptions::Original(const std::string& uuid) const {
  return ReadIfThere(OriginalPath(uuid), limits::kMaxDomainXml);
}

Result<std::optional<Record>> Adoptions::RecordOf(const std::string& uuid) const {
  const auto text = ReadIfThere(RecordPath(uuid), kMaxRecordBytes);
  if (!text) {
    return tl::make_unexpected(text.error());
  }
  if (!*text) {
    return std::nullopt;
  }
  return ParseRecord(**text, RecordPath(uuid)).map([](Record record) {
    return std::optional(std::move(record));
  });
}

Result<std::optional<Settings>> Adoptions::SettingsOf(const std::string& uuid) const {
  const auto text = ReadIfThere(ConfPath(uuid), kMaxRecordBytes);
  if (!text) {
    return tl::make_unexpected(text.error());
  }
  if (!*text) {
    return std::nullopt;
  }
  return ParseSettings(**text, ConfPath(uuid)).map([](Settings settings) {
    return std::optional(std::move(settings));
  });
}

Result<void> Adoptions::SetOriginal(const std::string& uuid, const std::string& xml) const {
  return fs::ReplaceTextFile(OriginalPath(uuid), xml, kOwnerOnly);
}

Result<void> Adoptions::SetRecord(const std::string& uuid, const Record& record) const {
  return fs::ReplaceTextFile(RecordPath(uuid), FormatRecord(record), kOwnerOnly);
}

Result<void> Adoptions::SetSettings(const std::string& uuid, const Settings& settings) const {
  return fs::ReplaceTextFile(ConfPath(uuid), FormatSettings(settings), kEverybodyReads);
}

// The conf first: without it nothing of the rest has an effect.
Result<void> Adoptions::Forget(const std::string& uuid) const {
  for (const std::string& path : {ConfPath(uuid), RecordPath(uuid), OriginalPath(uuid)}) {
    // The second: of a replacement that was interrupted.
    for (const std::string& name : {path, path + ".new"}) {
      if (auto removed = fs::RemoveFile(name); !removed) {
        return removed;
      }
    }
  }
  return fs::SyncDirectory(directory_);
}

std::string Adoptions::ConfPath(const std::string& uuid) const {
  return fmt::format("{}/{}{}", directory_, uuid, kConf);
}

std::string Adoptions::OriginalPath(const std::string& uuid) const {
  return fmt::format("{}/{}{}", directory_, uuid, kOriginal);
}

std::string Adoptions::RecordPath(const std::string& uuid) const {
  return fmt::format("{}/{}{}", directory_, uuid, kRecord);
}

}  // namespace openhook::adopt
