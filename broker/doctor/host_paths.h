// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where things lie on a host. Debian's places; a test names its own.

#ifndef BROKER_DOCTOR_HOST_PATHS_H_
#define BROKER_DOCTOR_HOST_PATHS_H_

#include <string>
#include <vector>

namespace openhook::doctor {

struct HostPaths {
  std::string config_dir = "/etc/openhook";
  std::string run_dir = "/run/openhook";
  std::string state_dir = "/var/lib/openhook";
  std::string qemu_conf = "/etc/libvirt/qemu.conf";
  std::string hook = "/etc/libvirt/hooks/qemu.d/openhook";
  // Where libvirtd looks for openhook.so; compiled into it.
  std::string lock_drivers = OPENHOOK_LOCK_DRIVER_DIRECTORY;
  // Written when the daemon starts; the first that is there counts.
  std::vector<std::string> daemon_pids = {"/run/libvirtd.pid", "/run/virtqemud.pid"};
  std::string aa_helper = "/usr/lib/libvirt/virt-aa-helper";
  std::string apparmor_profiles = "/sys/kernel/security/apparmor/profiles";
};

}  // namespace openhook::doctor

#endif  // BROKER_DOCTOR_HOST_PATHS_H_
