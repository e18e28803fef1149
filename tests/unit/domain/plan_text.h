// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A plan as lines of text, so that a test is a definition and what is expected of it.

#ifndef TESTS_UNIT_DOMAIN_PLAN_TEXT_H_
#define TESTS_UNIT_DOMAIN_PLAN_TEXT_H_

#include <string>
#include <string_view>
#include <vector>

#include "broker/domain/domain.h"

namespace openhook::domain {

// A machine of type qemu (which has no device of its own) around some devices.
inline std::string WithDevices(std::string_view devices) {
  return "<domain type='qemu'><name>vm1</name><uuid>11111111-2222-3333-4444-555555555555</uuid>"
         "<devices>" +
         std::string(devices) + "</devices></domain>";
}

// The same, running.
inline std::string Running(std::string_view elements) {
  return "<domain type='qemu' id='7'><name>vm1</name>" + std::string(elements) + "</domain>";
}

inline std::string_view WordOf(DeviceKind kind) {
  switch (kind) {
    case DeviceKind::kPciGroup:
      return "pci-group";
    case DeviceKind::kPciDevice:
      return "pci-device";
    case DeviceKind::kMdevGroup:
      return "mdev-group";
    case DeviceKind::kUsbProduct:
      return "usb-product";
    case DeviceKind::kScsiGeneric:
      return "scsi-generic";
    case DeviceKind::kMacvtap:
      return "macvtap";
    case DeviceKind::kRenderNode:
      return "render-node";
  }
  return "?";
}

inline std::string LineOf(const WantedFile& file) {
  std::string line = std::string(ToString(file.access)) + " " + std::string(ToString(file.kind)) +
                     " " + file.path + " [" + file.source + "]";
  if (file.role != Role::kNone) {
    line += " " + std::string(ToString(file.role)) + " " + std::to_string(file.depth);
  }
  line += file.format.empty() ? "" : " " + file.format;
  line += file.below == Below::kUnknown ? " +unknown" : "";
  line += file.below == Below::kListed ? " +listed" : "";
  line += file.shareable ? " shareable" : "";
  return line + (file.presence == Presence::kIfThere ? " if-there" : "");
}

// Files, then questions ("?"), network targets ("@"), refusals ("-") and warnings ("!").
inline std::vector<std::string> LinesOf(const Plan& plan) {
  std::vector<std::string> lines;
  for (const WantedFile& file : plan.files) {
    lines.push_back(LineOf(file));
  }
  for (const DeviceQuestion& question : plan.devices) {
    lines.push_back("? " + std::string(WordOf(question.kind)) + " " + question.key +
                    (question.access == Access::kRead ? " read" : "") + " [" + question.source +
                    "]");
  }
  for (const NetworkTarget& target : plan.network) {
    lines.push_back("@ " + target.name + " [" + target.source + "] " +
                    std::to_string(target.depth));
  }
  for (const Refusal& refusal : plan.refused) {
    lines.push_back("- " + refusal.path + " [" + refusal.source + "]");
  }
  for (const std::string& warning : plan.warnings) {
    lines.push_back("! " + warning.substr(0, warning.find(':')));
  }
  return lines;
}

inline std::vector<std::string> PlanLines(std::string_view xml,
                                          CommandLine command_line = CommandLine::kWarn) {
  const auto plan = PlanDomain(xml, command_line);
  return plan ? LinesOf(*plan) : std::vector<std::string>{"error: " + plan.error().Message()};
}

}  // namespace openhook::domain

#endif  // TESTS_UNIT_DOMAIN_PLAN_TEXT_H_
