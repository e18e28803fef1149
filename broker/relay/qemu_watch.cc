// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/relay/qemu_watch.h"

#include <cstdint>

namespace openhook::relay {

namespace {

constexpr const char* kJobs = "jobs";
constexpr const char* kMigration = "migration";

}  // namespace

bool QemuWatch::Connect() {
  if (IsConnected()) {
    return true;
  }
  auto connected = ConnectTo(name_);
  if (!connected) {
    return connected.error().code != ErrorCode::kNotFound;
  }
  socket_ = std::move(*connected);
  lines_ = {};
  outgoing_ = {};
  Ask(R"({"execute":"qmp_capabilities"})");
  AskForJobs();
  return true;
}

pollfd QemuWatch::Wants() const {
  const short events = outgoing_.IsEmpty() ? POLLIN : POLLIN | POLLOUT;
  return {socket_.Get(), events, 0};
}

void QemuWatch::Ask(const std::string& line) {
  outgoing_.Add(line + "\n");
  (void)outgoing_.Flush(socket_.Get());
}

void QemuWatch::AskForJobs() {
  if (IsConnected()) {
    Ask(Json({{"execute", "query-jobs"}, {"id", {kJobs, ++question_}}}).dump());
  }
}

void QemuWatch::AskForMigration() {
  // One question at a time: a QEMU that does not answer is not asked more.
  if (IsConnected() && outgoing_.IsEmpty()) {
    Ask(Json({{"execute", "query-migrate"}, {"id", {kMigration, ++question_}}}).dump());
  }
}

void QemuWatch::Serve(short events) {
  if (!IsConnected() || events == 0) {
    return;
  }
  const StreamStatus flushed = outgoing_.Flush(socket_.Get());
  const StreamChunk chunk = ReceiveStream(socket_.Get(), kReadBytes);
  std::vector<LineSplitter::Line> lines;
  lines_.Add(chunk.bytes, &lines);
  for (const LineSplitter::Line& line : lines) {
    if (line.whole) {
      OnLine(line.bytes);
    }
  }
  const auto over = [](StreamStatus status) {
    return status == StreamStatus::kClosed || status == StreamStatus::kBroken;
  };
  if (over(chunk.status) || over(flushed)) {
    socket_.Reset();
  }
}

void QemuWatch::OnLine(const std::string& line) {
  const Json message = Json::parse(line, nullptr, false);
  if (!message.is_object()) {
    return;
  }
  if (message.contains("event")) {
    gate_->OnEvent(Source::kWatch, message);
  } else if (message.value("id", Json()) == Json({kJobs, question_}) &&
             message.contains("return")) {
    OnJobs(message["return"]);
  } else if (message.value("id", Json()) == Json({kMigration, question_})) {
    gate_->OnMigration(StringAt(ObjectAt(message, "return"), "status"));
  }
}

void QemuWatch::OnJobs(const Json& list) {
  std::map<std::string, Tracker::Listed> jobs;
  if (!list.is_array()) {
    return;
  }
  for (const Json& job : list) {
    const std::string status = StringAt(job, "status");
    const bool over = status == "concluded" || status == "null";
    jobs[StringAt(job, "id")] = {over, job.is_object() && job.contains("error")};
  }
  gate_->Reconcile(jobs);
}

}  // namespace openhook::relay
