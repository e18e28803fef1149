// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/render.h"

#include <fmt/format.h>

#include "broker/base/text.h"
#include "broker/ctl/table.h"
#include "broker/ctl/words.h"

namespace openhook::ctl {

namespace {

std::string SourceOf(const proto::GrantInfo& grant) {
  if (grant.role().empty()) {
    return grant.source();
  }
  const std::string role = fmt::format("{} {}", grant.role(), grant.depth());
  return grant.source().empty() ? role : fmt::format("{} ({})", grant.source(), role);
}

std::string KindOf(const proto::GrantInfo& grant) {
  return std::string(KindWord(grant.kind())) + (grant.stale() ? " STALE" : "") +
         (grant.ended_unix() != 0 ? " ENDED" : "");
}

std::string AccessOf(const proto::GrantInfo& grant) {
  return std::string(AccessWord(grant.access())) + (grant.shareable() ? ", shareable" : "");
}

// "by pid 4711 uid 64055", with what the kernel knows of the peer's label.
std::string PeerOf(const proto::Event& event) {
  std::string text = fmt::format("pid {} uid {}", event.pid(), event.uid());
  if (!event.label().empty()) {
    text += " label " + Escape(event.label());
  }
  return text;
}

}  // namespace

std::string RenderGrants(const google::protobuf::RepeatedPtrField<proto::GrantInfo>& grants) {
  Table table(
      {{"ID", Align::kRight}, {"ACCESS"}, {"KIND"}, {"FORMAT"}, {"LEASE"}, {"SOURCE"}, {"PATH"}});
  for (const proto::GrantInfo& grant : grants) {
    table.AddRow({std::to_string(grant.id()), AccessOf(grant), KindOf(grant), grant.format(),
                  grant.lease(), SourceOf(grant), grant.path()});
    for (const std::string& alias : grant.aliases()) {
      table.AddRow({" ", " ", " ", " ", " ", "also as", alias});
    }
  }
  return table.Render();
}

std::string RenderEvent(const proto::Event& event) {
  std::string text = fmt::format("{} {:<5} {}", TimeFromNanoseconds(event.time_unix_ns()),
                                 Escape(event.verdict()), Escape(event.operation()));
  if (!event.access().empty()) {
    text += " " + Escape(event.access());
  }
  if (!event.path().empty()) {
    text += " " + Quote(event.path());
  }
  if (!event.reason().empty()) {
    text += ": " + OneLine(event.reason());
  }
  text += fmt::format(" [{}] ({})", Escape(event.rule()), PeerOf(event));
  if (event.repeated_times() > 0) {
    text += fmt::format(" {} times", event.repeated_times() + 1ULL);
  }
  if (!event.remedy().empty()) {
    text += "\n    remedy: " + OneLine(event.remedy());
  }
  return text + "\n";
}

}  // namespace openhook::ctl
