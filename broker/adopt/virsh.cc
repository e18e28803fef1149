// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/adopt/virsh.h"

#include <algorithm>

#include "broker/adopt/lines.h"
#include "broker/base/text.h"
#include "broker/program/run_program.h"

namespace openhook::adopt {

namespace {

// The first use of an emulator makes libvirtd ask it for everything it can do.
constexpr std::chrono::seconds kPatience{120};
constexpr std::size_t kShownBytes = 1000;

std::string_view Between(std::string_view text, std::string_view begin, std::string_view end) {
  const std::size_t from = text.find(begin);
  if (from == std::string_view::npos) {
    return {};
  }
  const std::string_view rest = text.substr(from + begin.size());
  return rest.substr(0, rest.find(end));
}

std::string FirstLine(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

// "error: failed to get domain 'x'" without the word before it, and the rest on the same line.
std::string WordsOf(std::string_view said) {
  std::string words;
  constexpr std::string_view kError = "error: ";
  for (std::string_view line : LinesOf(said.substr(0, kShownBytes))) {
    line.remove_prefix(line.starts_with(kError) ? kError.size() : 0);
    words += (words.empty() || line.empty() ? "" : ": ") + OneLine(line);
  }
  return words.empty() ? "it said nothing" : words;
}

bool IsThisHostsSystem(const std::string& uri) {
  const std::string base = uri.substr(0, uri.find('?'));
  return base == kSystemUri || base == "qemu+unix:///system";
}

// "Persistent:     yes"
bool SaysYes(std::string_view text, std::string_view key) {
  const std::string_view value = Between(text, std::string(key) + ":", "\n");
  return value.find("yes") != std::string_view::npos;
}

}  // namespace

bool HostSecurity::Has(std::string_view model) const {
  return std::find(models.begin(), models.end(), model) != models.end();
}

std::string UserOfLabel(std::string_view dac_label) {
  const std::string_view user = dac_label.substr(0, dac_label.find(':'));
  return std::string(user.starts_with('+') ? user.substr(1) : user);
}

HostSecurity ParseHostSecurity(std::string_view capabilities) {
  constexpr std::string_view kBlock = "<secmodel>";
  HostSecurity security;
  for (std::size_t at = capabilities.find(kBlock); at != std::string_view::npos;
       at = capabilities.find(kBlock, at + 1)) {
    const std::string_view block = Between(capabilities.substr(at), kBlock, "</secmodel>");
    security.models.emplace_back(Between(block, "<model>", "</model>"));
    if (security.models.back() == "dac") {
      security.vm_user = UserOfLabel(Between(block, "<baselabel type='kvm'>", "</baselabel>"));
    }
  }
  return security;
}

Result<Virsh> Virsh::To(const std::string& uri) {
  if (IsThisHostsSystem(uri)) {
    return Virsh(uri);
  }
  const bool session = uri.substr(0, uri.find('?')).ends_with("/session");
  return Fail(
      ErrorCode::kUnsupported,
      Quote(uri) + (session ? " is a user's own libvirt, whose machines run as that user; "
                              "only those of the system's libvirt (" +
                                  std::string(kSystemUri) + ") can be adopted"
                            : " is not the libvirt of this host; give " + std::string(kSystemUri) +
                                  ", and run openhookctl where the machine runs"));
}

Result<std::string> Virsh::Run(std::vector<std::string> words, std::string_view input) const {
  const std::string command = words.front();
  words.insert(words.begin(), {"virsh", "--quiet", "--connect", uri_});
  auto run = RunProgram({.words = words, .input = input, .deadline = kPatience});
  if (!run) {
    Error error = std::move(run).error();
    error.context += error.code == ErrorCode::kNotFound
                         ? " (Debian: libvirt-clients)"
                         : "; is a hook of libvirt waiting, or is libvirtd stopped?";
    return tl::make_unexpected(std::move(error));
  }
  if (run->status != 0) {
    const bool absent = run->err.find("failed to get domain") != std::string::npos ||
                        run->err.find("omain not found") != std::string::npos ||
                        run->err.find("domain is not running") != std::string::npos;
    return Fail(absent ? ErrorCode::kNotFound : ErrorCode::kUnavailable,
                "virsh " + command + ": " + WordsOf(run->err));
  }
  return std::move(run->out);
}

// domuuid takes a name or an id, domname an id or a UUID.
Result<Virsh::Domain> Virsh::Find(const std::string& domain) const {
  const auto uuid = Run({"domuuid", "--domain=" + domain}).map(FirstLine);
  if (uuid) {
    return Run({"domname", "--domain=" + *uuid}).map([&](const std::string& name) {
      return Domain{*uuid, FirstLine(name)};
    });
  }
  const auto name = Run({"domname", "--domain=" + domain}).map(FirstLine);
  if (!name) {
    return tl::make_unexpected(uuid.error());
  }
  return Run({"domuuid", "--domain=" + *name}).map([&](const std::string& found) {
    return Domain{FirstLine(found), *name};
  });
}

Result<std::string> Virsh::Definition(const std::string& uuid, Which which) const {
  std::vector<std::string> words = {"dumpxml", "--domain=" + uuid, "--security-info"};
  if (which == Which::kPersistent) {
    words.emplace_back("--inactive");
  }
  return Run(std::move(words));
}

Result<void> Virsh::Define(std::string_view xml) const {
  return Run({"define", "--file=/proc/self/fd/0"}, xml).map([](const std::string&) {});
}

Result<Virsh::State> Virsh::StateOf(const std::string& uuid) const {
  const auto info = Run({"dominfo", "--domain=" + uuid});
  const auto state = Run({"domstate", "--domain=" + uuid}).map(FirstLine);
  if (!info || !state) {
    return tl::make_unexpected(info ? state.error() : info.error());
  }
  return State{*state != "shut off" && *state != "crashed", SaysYes(*info, "Persistent"),
               SaysYes(*info, "Managed save")};
}

Result<HostSecurity> Virsh::Security() const {
  return Run({"capabilities"}).map([](const std::string& text) { return ParseHostSecurity(text); });
}

Result<std::string> Virsh::Versions() const { return Run({"version", "--daemon"}); }

}  // namespace openhook::adopt
