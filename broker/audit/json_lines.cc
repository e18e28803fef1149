// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/audit/json_lines.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "broker/base/text.h"
#include "broker/fs/append_file.h"

namespace openhook::audit {

namespace {

constexpr std::uint64_t kMaxLogBytes = 8 * std::uint64_t{1024} * 1024;

class JsonLinesSink : public Sink {
 public:
  explicit JsonLinesSink(fs::AppendFile file) : file_(std::move(file)) {}

  void Write(const Event& event, std::uint64_t missed) override {
    const auto written = file_.Append(ToJsonLine(event, missed));
    if (!written && !complained_) {
      (void)std::fprintf(stderr, "<3>openhookd: %s\n", written.error().Message().c_str());
    }
    complained_ = !written;
  }

 private:
  fs::AppendFile file_;
  bool complained_ = false;
};

}  // namespace

std::string ToJsonLine(const Event& event, std::uint64_t missed) {
  nlohmann::ordered_json line = {
      {"seq", event.seq},
      {"time_unix_ns", event.time_ns},
      {"operation", ToString(event.operation)},
      {"verdict", ToString(event.outcome)},
      {"path", Escape(event.path)},
      {"access", event.access},
      {"rule", event.rule},
      {"reason", event.reason},
      {"remedy", event.remedy},
      {"repeated_times", event.repeated},
  };
  if (event.leases) {
    line["leases"] = *event.leases;
  }
  if (event.subject) {
    line["pid"] = event.subject->pid;
    line["uid"] = event.subject->uid;
    line["gid"] = event.subject->gid;
    line["label"] = Escape(event.subject->label);
  }
  if (missed != 0) {
    line["not_written_before"] = missed;
  }
  return line.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

Result<std::unique_ptr<Sink>> MakeJsonLinesSink(const std::string& path) {
  auto file = fs::AppendFile::Open(path, kMaxLogBytes);
  if (!file) {
    return tl::make_unexpected(file.error());
  }
  return std::make_unique<JsonLinesSink>(std::move(*file));
}

}  // namespace openhook::audit
