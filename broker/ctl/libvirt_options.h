// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The options of the subcommands that speak with libvirt.

#ifndef BROKER_CTL_LIBVIRT_OPTIONS_H_
#define BROKER_CTL_LIBVIRT_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <string>

#include "broker/adopt/virsh.h"
#include "broker/ctl/validators.h"

namespace openhook::ctl {

struct LibvirtOptions {
  std::string domain;
  std::string connect = adopt::kSystemUri;
  std::string config_dir = "/etc/openhook";
  [[nodiscard]] std::string AdoptionsDirectory() const { return config_dir + "/domains"; }
};

inline void AddLibvirtOptions(CLI::App* command, LibvirtOptions* options) {
  command->add_option("--connect", options->connect, "The libvirtd of this host, as virsh takes it")
      ->capture_default_str()
      ->type_name("URI");
  command->add_option("--config-dir", options->config_dir, "Where adoptions are kept, in domains/")
      ->check(AbsolutePathValidator())
      ->capture_default_str()
      ->type_name("DIRECTORY");
}

}  // namespace openhook::ctl

#endif  // BROKER_CTL_LIBVIRT_OPTIONS_H_
