// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A libvirtd of this host, asked through virsh: openhookctl so needs no libvirt to be built or run,
// and does what an administrator would.

#ifndef BROKER_ADOPT_VIRSH_H_
#define BROKER_ADOPT_VIRSH_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"

namespace openhook::adopt {

inline constexpr const char* kSystemUri = "qemu:///system";

// What libvirtd applies to machines whose definition names no labels.
struct HostSecurity {
  std::vector<std::string> models;  // "apparmor", "selinux", "dac"
  std::string vm_user;              // number, from the label of the model dac; empty: it has none
  [[nodiscard]] bool Has(std::string_view model) const;
};
// "+64055:+64055", "64055:64055" or "libvirt-qemu:kvm": the user's number or name.
std::string UserOfLabel(std::string_view dac_label);
// From the text of virsh capabilities, which libvirtd writes in one fixed form.
HostSecurity ParseHostSecurity(std::string_view capabilities);

class Virsh {
 public:
  // Errors: kUnsupported for a connection that is not to this host's system daemon.
  static Result<Virsh> To(const std::string& uri);

  struct Domain {
    std::string uuid;
    std::string name;
  };
  // By name, UUID or id. Errors: kNotFound.
  [[nodiscard]] Result<Domain> Find(const std::string& domain) const;

  enum class Which : std::uint8_t { kPersistent, kLive };
  // With what is secret in it. Errors: kNotFound when there is no such definition (a machine that
  // does not run; one that is not defined).
  [[nodiscard]] Result<std::string> Definition(const std::string& uuid, Which which) const;
  [[nodiscard]] Result<void> Define(std::string_view xml) const;

  struct State {
    bool running = false;
    bool persistent = false;
    bool managed_save = false;  // the next start goes on from a saved state
  };
  [[nodiscard]] Result<State> StateOf(const std::string& uuid) const;
  [[nodiscard]] Result<HostSecurity> Security() const;
  // "Using library: libvirt 9.0.0" and so on, line by line.
  [[nodiscard]] Result<std::string> Versions() const;

 private:
  explicit Virsh(std::string uri) : uri_(std::move(uri)) {}
  [[nodiscard]] Result<std::string> Run(std::vector<std::string> words,
                                        std::string_view input = "") const;

  std::string uri_;
};

}  // namespace openhook::adopt

#endif  // BROKER_ADOPT_VIRSH_H_
