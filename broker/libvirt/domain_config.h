// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which domains of libvirt are under openhook. A domain is adopted when /etc/openhook/domains has a
// file UUID.conf: lines "key = value", whose keys are options of openhookd without the dashes
// ("profile = apparmor", "vm-user = 64055"); "uid" is another word for vm-user.

#ifndef BROKER_LIBVIRT_DOMAIN_CONFIG_H_
#define BROKER_LIBVIRT_DOMAIN_CONFIG_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"

namespace openhook::libvirt {

inline constexpr const char* kDomainsDirectory = "/etc/openhook/domains";

struct DomainConfig {
  std::vector<std::string> arguments;  // of openhookd, behind --vm: "--profile=apparmor"
  std::string run_dir = "/run/openhook";
  std::string state_dir = "/var/lib/openhook";
};

// `uuid` in any case. Where the file of this domain is, or would be.
std::string DomainConfigPath(const std::string& directory, const std::string& uuid);

// Comments begin with '#'; values may stand in double quotes; a key may be repeated where openhookd
// takes several (pool). Errors: kInvalidArgument with the line.
Result<DomainConfig> ParseDomainConfig(std::string_view text);

// Nothing: the domain is not adopted. Errors: kInvalidArgument for a malformed file; the kernel's.
Result<std::optional<DomainConfig>> ReadDomainConfig(const std::string& directory,
                                                     const std::string& uuid);

}  // namespace openhook::libvirt

#endif  // BROKER_LIBVIRT_DOMAIN_CONFIG_H_
