// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/audit/journal.h"

// Where in the source an entry was made is of no use to its reader, and would name build paths.
#define SD_JOURNAL_SUPPRESS_LOCATION

#include <sys/syslog.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include <array>

#include "broker/base/text.h"

namespace openhook::audit {

namespace {

std::string Join(const Event& event) {
  std::string leases;
  if (event.leases) {
    for (const std::string& lease : *event.leases) {
      leases += (leases.empty() ? "" : " ") + lease;
    }
  }
  return leases;
}

class JournalSink : public Sink {
 public:
  explicit JournalSink(std::string vm) : vm_(std::move(vm)) {}

  void Write(const Event& event, std::uint64_t /*missed*/) override {
    const int priority = event.outcome == Outcome::kAllow ? LOG_INFO : LOG_WARNING;
    std::array<std::string, 10> fields = {
        "MESSAGE=" + ToSentence(event),
        "PRIORITY=" + std::to_string(priority),
        "SYSLOG_IDENTIFIER=openhookd",
        "OPENHOOK_VM=" + vm_,
        "OPENHOOK_OPERATION=" + std::string(ToString(event.operation)),
        "OPENHOOK_VERDICT=" + std::string(ToString(event.outcome)),
        "OPENHOOK_PATH=" + event.path,
        "OPENHOOK_RULE=" + std::string(event.rule),
        "OPENHOOK_REMEDY=" + std::string(event.remedy),
        "OPENHOOK_LEASES=" + Join(event),
    };
    std::array<iovec, fields.size()> parts{};
    for (std::size_t i = 0; i < fields.size(); ++i) {
      parts[i] = {fields[i].data(), fields[i].size()};
    }
    // The journal may be absent (a container, a test); there is nobody to tell then.
    (void)::sd_journal_sendv(parts.data(), static_cast<int>(parts.size()));
  }

 private:
  std::string vm_;
};

}  // namespace

std::string ToSentence(const Event& event) {
  std::string text = std::string(ToString(event.operation)) + " " + Quote(event.path);
  if (!event.access.empty()) {
    text += " for " + std::string(event.access);
  }
  text += ": " + std::string(ToString(event.outcome));
  if (!event.rule.empty()) {
    text += " (" + std::string(event.rule) + ")";
  }
  if (!event.reason.empty()) {
    text += ": " + event.reason;
  }
  if (!event.remedy.empty()) {
    text += "; remedy: " + std::string(event.remedy);
  }
  return text;
}

std::unique_ptr<Sink> MakeJournalSink(const std::string& vm) {
  return std::make_unique<JournalSink>(vm);
}

}  // namespace openhook::audit
