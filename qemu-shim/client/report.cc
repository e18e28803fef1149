// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/client/report.h"

#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

namespace openhook::client {

namespace {

constexpr std::uint32_t kTimesInARow = 3;

// Hash of the last line in the upper half, how often it came in the lower one. One word, so that
// threads need no lock; a lost update only prints a line once more.
std::atomic<std::uint64_t> last_line{0};

std::uint32_t Hash(const char* text, std::size_t size) {
  std::uint32_t hash = 2166136261U;  // FNV-1a
  for (std::size_t i = 0; i < size; ++i) {
    hash = (hash ^ static_cast<unsigned char>(text[i])) * 16777619U;
  }
  return hash;
}

bool WasPrintedOften(const char* text, std::size_t size) {
  const std::uint32_t hash = Hash(text, size);
  const std::uint64_t last = last_line.load(std::memory_order_relaxed);
  const std::uint32_t times =
      static_cast<std::uint32_t>(last >> 32) == hash ? static_cast<std::uint32_t>(last) : 0;
  if (times >= kTimesInARow) {
    return true;
  }
  last_line.store(std::uint64_t{hash} << 32 | (times + 1), std::memory_order_relaxed);
  return false;
}

}  // namespace

Line::Line() { Add("openhook: "); }

void Line::Push(char c) {
  if (size_ + 1 < sizeof(text_)) {  // the last byte is for the newline
    text_[size_++] = c;
  }
}

Line& Line::Add(std::string_view text) {
  for (const char c : text) {
    Push(c);
  }
  return *this;
}

Line& Line::AddQuoted(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  Push('\'');
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '\\' && c != '\'') {
      Push(c);
    } else {
      Add("\\x");
      Push(kHex[byte >> 4]);
      Push(kHex[byte & 15]);
    }
  }
  Push('\'');
  return *this;
}

Line& Line::AddNumber(long number) {
  char digits[24];
  std::size_t count = 0;
  unsigned long rest =
      number < 0 ? 0UL - static_cast<unsigned long>(number) : static_cast<unsigned long>(number);
  do {
    digits[count++] = static_cast<char>('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  if (number < 0) {
    Push('-');
  }
  while (count > 0) {
    Push(digits[--count]);
  }
  return *this;
}

bool Line::Finish() {
  if (WasPrintedOften(text_, size_)) {
    return false;
  }
  text_[size_++] = '\n';
  return true;
}

void Line::Print() {
  const int saved = errno;
  if (Finish()) {
    // A log that cannot be written must not change what the program sees.
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text_, size_);
  }
  errno = saved;
}

void Line::PrintTo(const UniqueFd& stream) {
  pollfd poller{stream.Get(), POLLOUT, 0};
  if (::poll(&poller, 1, 0) == 1 && (poller.revents & POLLOUT) != 0 && Finish()) {
    [[maybe_unused]] const ssize_t written = ::write(stream.Get(), text_, size_);
  }
}

}  // namespace openhook::client
