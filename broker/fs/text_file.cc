// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/text_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "broker/base/text.h"
#include "broker/fs/directory.h"

namespace openhook::fs {

namespace {

constexpr std::size_t kChunk = 16 * std::size_t{1024};

Result<std::string> ReadToEnd(const UniqueFd& file, const std::string& who, std::size_t max_bytes) {
  std::string text;
  std::array<char, kChunk> chunk{};
  for (;;) {
    const ssize_t size = ::read(file.Get(), chunk.data(), chunk.size());
    if (size == 0) {
      return text;
    }
    if (size < 0 && errno != EINTR) {
      return FailErrno(errno, "cannot read " + who);
    }
    text.append(chunk.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    if (text.size() > max_bytes) {
      return Fail(ErrorCode::kLimit,
                  who + " is longer than " + std::to_string(max_bytes) + " bytes");
    }
  }
}

bool WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno != EINTR) {
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
  }
  return true;
}

std::string DirectoryOf(const std::string& path) {
  return path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
}

}  // namespace

Result<std::string> ReadTextFile(const std::string& path, std::size_t max_bytes) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file.IsValid()) {
    return FailErrno(errno, "cannot open " + Quote(path));
  }
  return ReadToEnd(file, Quote(path), max_bytes);
}

Result<std::string> ReadStandardInput(std::size_t max_bytes) {
  const UniqueFd input(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
  return ReadToEnd(input, "standard input", max_bytes);
}

Result<void> ReplaceTextFile(const std::string& path, std::string_view text, mode_t mode) {
  const std::string temporary = path + ".new";
  // What is left of a replacement that was interrupted.
  if (auto removed = RemoveFile(temporary); !removed) {
    return removed;
  }
  const UniqueFd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!file.IsValid()) {
    return FailErrno(errno, "cannot make " + Quote(temporary));
  }
  // fchmod(2): the umask took something from the mode above.
  if (!WriteAll(file.Get(), text) || ::fchmod(file.Get(), mode) != 0 || ::fsync(file.Get()) != 0) {
    return FailErrno(errno, "cannot write " + Quote(temporary));
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) {
    return FailErrno(errno, "cannot replace " + Quote(path));
  }
  return SyncDirectory(DirectoryOf(path));
}

namespace {

enum class Patience : std::uint8_t { kNone, kEndless };

Result<UniqueFd> Lock(const std::string& path, Patience patience) {
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR));
  struct flock whole{};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (!file.IsValid()) {
    return FailErrno(errno, "cannot open the lock " + Quote(path));
  }
  const int command = patience == Patience::kNone ? F_OFD_SETLK : F_OFD_SETLKW;
  while (::fcntl(file.Get(), command, &whole) != 0) {
    if (errno != EINTR) {
      return Fail(ErrorCode::kConflict, "another process holds the lock " + Quote(path));
    }
  }
  return file;
}

}  // namespace

Result<UniqueFd> LockAlone(const std::string& path) { return Lock(path, Patience::kNone); }

Result<UniqueFd> LockInTurn(const std::string& path) { return Lock(path, Patience::kEndless); }

}  // namespace openhook::fs
