// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/relay/manager_session.h"

#include <algorithm>
#include <utility>

#include "broker/base/limits.h"

namespace openhook::relay {

namespace {

// Of QEMU's output, kept for a manager that does not read.
constexpr std::size_t kMaxUnread = std::size_t{1} << 20;

bool HasEnded(StreamStatus status) {
  return status == StreamStatus::kClosed || status == StreamStatus::kBroken;
}

const Json* IdOf(const Json& message) {
  const auto found = message.find("id");
  return found == message.end() ? nullptr : &*found;
}

bool IsOutOfBand(const std::string& frame) {
  if (frame.find("exec-oob") == std::string::npos) {
    return false;
  }
  const auto command = ParseStrict(frame);
  return command && command->contains("exec-oob");
}

}  // namespace

ManagerSession::ManagerSession(UniqueFd manager, UniqueFd qemu, Gate* gate)
    : manager_(std::move(manager)), qemu_(std::move(qemu)), gate_(gate) {
  gate_->ManagerBegan();
}

bool ManagerSession::IsCrowded() const {
  return queue_.size() >= limits::kMaxMonitorQueue || !to_qemu_.IsEmpty() || !fault_.empty() ||
         ended_;
}

pollfd ManagerSession::WantsOfManager() const {
  const int events = (IsCrowded() ? 0 : POLLIN) | (to_manager_.IsEmpty() ? 0 : POLLOUT);
  return {manager_.Get(), static_cast<short>(events), 0};
}

pollfd ManagerSession::WantsOfQemu() const {
  const int events =
      (to_manager_.size() > kMaxUnread ? 0 : POLLIN) | (to_qemu_.IsEmpty() ? 0 : POLLOUT);
  return {qemu_.Get(), static_cast<short>(events), 0};
}

void ManagerSession::Serve(short manager_events, short qemu_events) {
  if (qemu_events != 0) {
    ReadQemu();
  }
  if (manager_events != 0) {
    ReadManager();
  }
  PassOutOfBand();
  PassCommands();
  Flush();
  const bool idle = MayPass() && queue_.empty() && to_manager_.IsEmpty();
  over_ = over_ || (idle && (ended_ || !fault_.empty())) || (manager_events & POLLHUP) != 0;
}

void ManagerSession::ReadManager() {
  if (IsCrowded()) {
    return;
  }
  StreamChunk chunk = ReceiveStream(manager_.Get(), kReadBytes);
  std::move(chunk.descriptors.begin(), chunk.descriptors.end(), std::back_inserter(descriptors_));
  std::vector<std::string> frames;
  const auto added = framer_.Add(chunk.bytes, &frames);
  // Descriptors come with the last bytes of what one recvmsg(2) gives, and QEMU keeps them until it
  // gets others: with the first of several commands they are there in time.
  for (std::string& frame : frames) {
    queue_.push_back({std::move(frame), std::exchange(descriptors_, {})});
  }
  if (!added) {
    fault_ = added.error().Message();
  } else if (descriptors_.size() > limits::kMaxMonitorDescriptors ||
             (!queue_.empty() &&
              queue_.back().descriptors.size() > limits::kMaxMonitorDescriptors)) {
    fault_ = "more than " + std::to_string(limits::kMaxMonitorDescriptors) +
             " descriptors came with one command";
  }
  // What it sent before is done still, where it waits for the answers.
  ended_ = chunk.status == StreamStatus::kClosed;
  over_ = over_ || chunk.status == StreamStatus::kBroken;
}

void ManagerSession::ReadQemu() {
  if (to_manager_.size() > kMaxUnread) {
    return;
  }
  // Descriptors of QEMU are closed unseen.
  const StreamChunk chunk = ReceiveStream(qemu_.Get(), kReadBytes);
  std::vector<LineSplitter::Line> lines;
  lines_.Add(chunk.bytes, &lines);
  for (LineSplitter::Line& line : lines) {
    // Before the manager sees it: what it does next may rely on it.
    if (line.whole) {
      OnLine(line.bytes);
    }
    to_manager_.Add(std::move(line.bytes));
  }
  over_ = over_ || HasEnded(chunk.status);
}

void ManagerSession::OnLine(const std::string& line) {
  const Json message = Json::parse(line, nullptr, false);
  if (!message.is_object()) {
    return;
  }
  if (message.contains("event")) {
    gate_->OnEvent(Source::kManager, message);
  } else if (message.contains("return") || message.contains("error")) {
    OnAnswer(message);
  }
}

void ManagerSession::OnAnswer(const Json& message) {
  if (!in_flight_) {
    return;
  }
  const Json* id = IdOf(message);
  const bool ours = id == nullptr ? !in_flight_->id.has_value()
                                  : in_flight_->id.has_value() && *id == *in_flight_->id;
  if (!ours) {
    return;  // to an out-of-band command, or made up
  }
  const InFlight answered = *std::exchange(in_flight_, std::nullopt);
  const bool done = !message.contains("error");
  if (answered.followed) {
    gate_->Answered(done ? Tracker::Answer::kDone : Tracker::Answer::kError);
  }
  if (answered.negotiates && done) {
    negotiated_ = true;
    gate_->ManagerNegotiated();
  }
}

// Not while it is unknown what became of a command of the session before.
bool ManagerSession::MayPass() const {
  return !in_flight_ && to_qemu_.IsEmpty() && gate_->IsSettled();
}

void ManagerSession::PassCommands() {
  while (!over_ && MayPass() && !queue_.empty()) {
    Frame frame = std::move(queue_.front());
    queue_.pop_front();
    Pass(std::move(frame));
  }
  if (!over_ && MayPass() && queue_.empty() && !fault_.empty() && to_manager_.IsEmpty()) {
    to_manager_.Add(ErrorAnswer(nullptr, "openhook closes this connection: " + fault_));
  }
}

void ManagerSession::PassOutOfBand() {
  for (auto frame = queue_.begin(); frame != queue_.end();) {
    if (IsOutOfBand(frame->bytes) && to_qemu_.IsEmpty()) {
      Frame passed = std::move(*frame);
      frame = queue_.erase(frame);
      const auto waiting = std::exchange(in_flight_, std::nullopt);
      Pass(std::move(passed));
      in_flight_ = waiting;
    } else {
      ++frame;
    }
  }
}

void ManagerSession::Pass(Frame frame) {
  const auto command = ParseStrict(frame.bytes);
  if (!command) {
    to_manager_.Add(
        ErrorAnswer(nullptr, "openhook has not passed this on: " + command.error().Message()));
    return;
  }
  // Before that QEMU refuses whatever else it is told.
  const Gate::Admission admission = negotiated_ ? gate_->Admit(*command) : Gate::Admission();
  if (!admission.refusal.empty()) {
    to_manager_.Add(ErrorAnswer(IdOf(*command), admission.refusal));
    return;
  }
  const Json* id = IdOf(*command);
  in_flight_ = InFlight{id == nullptr ? std::nullopt : std::optional(*id), admission.followed,
                        StringAt(*command, "execute") == "qmp_capabilities"};
  to_qemu_.Add(std::move(frame.bytes), std::move(frame.descriptors));
}

void ManagerSession::Flush() {
  over_ =
      over_ || HasEnded(to_qemu_.Flush(qemu_.Get())) || HasEnded(to_manager_.Flush(manager_.Get()));
}

}  // namespace openhook::relay
