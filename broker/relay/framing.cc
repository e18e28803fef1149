// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/relay/framing.h"

#include <utility>

#include "broker/base/limits.h"

namespace openhook::relay {

namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

Result<void> CommandFramer::Take(char c) {
  switch (in_) {
    case In::kString:
      in_ = c == '\\' ? In::kEscape : c == '"' ? In::kJson : In::kString;
      return {};
    case In::kEscape:
      in_ = In::kString;
      return {};
    case In::kJunk:
      return {};
    case In::kBlanks:
      if (IsBlank(c)) {
        return {};
      }
      in_ = c == '{' || c == '[' ? In::kJson : In::kJunk;
      break;
    case In::kJson:
      break;
  }
  if (c == '"') {
    in_ = in_ == In::kJson ? In::kString : in_;
  } else if (in_ == In::kJson && (c == '{' || c == '[')) {
    closers_ += c == '{' ? '}' : ']';
    if (closers_.size() > limits::kMaxMonitorDepth) {
      return Fail(ErrorCode::kLimit, "a command nests deeper than " +
                                         std::to_string(limits::kMaxMonitorDepth) + " levels");
    }
  } else if (in_ == In::kJson && (c == '}' || c == ']')) {
    if (closers_.back() != c) {
      return Fail(ErrorCode::kCorrupt, "the brackets of a command do not match");
    }
    closers_.pop_back();
  }
  return {};
}

bool CommandFramer::FrameEnds(char c) const {
  return (in_ == In::kJson && closers_.empty()) || (in_ == In::kJunk && c == '\n');
}

std::string_view CommandFramer::TakeLineEnd(std::string_view* bytes) {
  std::size_t size = 0;
  bool ended = false;
  while (!ended && size < bytes->size() && size < limits::kMaxMonitorDepth &&
         IsBlank((*bytes)[size])) {
    ended = (*bytes)[size++] == '\n';
  }
  const std::string_view taken = bytes->substr(0, size);
  bytes->remove_prefix(size);
  return taken;
}

Result<void> CommandFramer::Add(std::string_view bytes, std::vector<std::string>* frames) {
  while (!bytes.empty()) {
    const char c = bytes.front();
    bytes.remove_prefix(1);
    // A stream of nothing but blanks is no command that grows.
    if (in_ == In::kBlanks && IsBlank(c) && frame_.size() >= limits::kMaxMonitorDepth) {
      continue;
    }
    frame_ += c;
    if (auto taken = Take(c); !taken) {
      return taken;
    }
    if (FrameEnds(c)) {
      if (in_ == In::kJson) {
        frame_ += TakeLineEnd(&bytes);
      }
      frames->push_back(std::exchange(frame_, {}));
      in_ = In::kBlanks;
    } else if (frame_.size() > limits::kMaxMonitorCommand) {
      return Fail(ErrorCode::kLimit, "a command is longer than " +
                                         std::to_string(limits::kMaxMonitorCommand) + " bytes");
    }
  }
  return {};
}

void LineSplitter::Add(std::string_view bytes, std::vector<Line>* lines) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::size_t size = end == std::string_view::npos ? bytes.size() : end + 1;
    line_ += bytes.substr(0, size);
    bytes.remove_prefix(size);
    const bool ended = end != std::string_view::npos;
    oversized_ = oversized_ || line_.size() > limits::kMaxMonitorLine;
    if (ended || oversized_) {
      lines->push_back({std::exchange(line_, {}), !oversized_});
    }
    oversized_ = oversized_ && !ended;
  }
}

}  // namespace openhook::relay
