// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/process.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string_view>

#include "broker/base/unique_fd.h"

namespace openhook::fs {

namespace {

constexpr int kStartTimeField = 22;
// The fields that are counted begin behind the name, which is the second.
constexpr int kFirstFieldBehindName = 3;

std::string ReadProc(pid_t pid, const char* name) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + name;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 1024> text{};
  const ssize_t length = fd.IsValid() ? ::read(fd.Get(), text.data(), text.size()) : -1;
  return length <= 0 ? std::string() : std::string(text.data(), static_cast<std::size_t>(length));
}

}  // namespace

std::optional<std::uint64_t> StartTicksOf(pid_t pid) {
  const std::string stat = ReadProc(pid, "stat");
  // The name is in brackets and may hold brackets and blanks itself: the last one ends it.
  std::size_t at = stat.rfind(')');
  for (int field = kFirstFieldBehindName; at != std::string::npos && field <= kStartTimeField;
       ++field) {
    at = stat.find(' ', at + 1);
  }
  if (at == std::string::npos) {
    return std::nullopt;
  }
  std::uint64_t ticks = 0;
  const char* end = stat.data() + stat.size();
  return std::from_chars(stat.data() + at + 1, end, ticks).ec == std::errc() ? std::optional(ticks)
                                                                             : std::nullopt;
}

std::string ProgramOf(pid_t pid) {
  std::string name = ReadProc(pid, "comm");
  if (name.ends_with('\n')) {
    name.pop_back();
  }
  return name;
}

}  // namespace openhook::fs
