// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/file_facts.h"

#include <sys/stat.h>

namespace openhook::fs {

namespace {

constexpr mode_t kModeBits = 07777;

FileKind KindOf(mode_t mode) {
  if (S_ISREG(mode)) {
    return FileKind::kRegular;
  }
  return S_ISDIR(mode) ? FileKind::kDirectory : FileKind::kOther;
}

}  // namespace

bool FileFacts::IsRootsAlone() const { return uid == 0 && (mode & (S_IWGRP | S_IWOTH)) == 0; }

std::optional<FileFacts> FactsOf(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) {
    return std::nullopt;
  }
  return FileFacts{KindOf(info.st_mode), info.st_uid, info.st_mode & kModeBits,
                   info.st_mtim.tv_sec};
}

}  // namespace openhook::fs
