// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The options of the subcommands that speak with libvirt.

#ifndef BROKER_CTL_LIBVIRT_OPTIONS_H_
#define BROKER_CTL_LIBVIRT_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <utility>

#include "broker/adopt/record.h"
#include "broker/adopt/virsh.h"
#include "broker/base/result.h"
#include "broker/base/unique_fd.h"
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

enum class Effect : std::uint8_t { kShow, kDo };

// libvirt, and what is kept of adopted domains: with kDo, nobody else changes that meanwhile.
struct Adopting {
  adopt::Virsh virsh;
  adopt::Adoptions adoptions;
  UniqueFd lock;
};

// Errors: those of adopt::Virsh::To() and adopt::Adoptions::Lock().
inline Result<Adopting> Reach(const LibvirtOptions& options, Effect effect) {
  auto virsh = adopt::Virsh::To(options.connect);
  if (!virsh) {
    return tl::make_unexpected(virsh.error());
  }
  adopt::Adoptions adoptions(options.AdoptionsDirectory());
  auto lock = effect == Effect::kDo ? adoptions.Lock() : Result<UniqueFd>();
  if (!lock) {
    return tl::make_unexpected(lock.error());
  }
  return Adopting{std::move(*virsh), std::move(adoptions), std::move(*lock)};
}

}  // namespace openhook::ctl

#endif  // BROKER_CTL_LIBVIRT_OPTIONS_H_
