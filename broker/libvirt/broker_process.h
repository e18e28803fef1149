// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The broker of an adopted machine, as the hook starts and ends it: the unit openhookd@UUID where
// systemd runs, else a process in a session of its own.

#ifndef BROKER_LIBVIRT_BROKER_PROCESS_H_
#define BROKER_LIBVIRT_BROKER_PROCESS_H_

#include <string>
#include <vector>

#include "broker/base/result.h"
#include "broker/client/control_client.h"
#include "broker/libvirt/domain_config.h"

namespace openhook::libvirt {

class BrokerProcess {
 public:
  BrokerProcess(std::string uuid, DomainConfig config)
      : uuid_(std::move(uuid)), config_(std::move(config)) {}

  // The running broker, or one that is started for it. Returns when it takes connections. Errors:
  // kUnavailable with the place of its log.
  Result<client::ControlClient> Ensure() const;

  // Absent: it does not run.
  Result<client::ControlClient> Connect() const;

  // Returns when it has ended. A broker that does not run is fine.
  Result<void> Stop() const;

  // openhookd and its arguments; and openhook-loader's, where the broker needs it, else nothing.
  Result<std::vector<std::string>> BrokerWords() const;
  Result<std::vector<std::string>> LoaderWords() const;

  // Name and number of the machine that is about to start: the loader needs them, and whoever
  // starts the loader later does not know them. A broker of an earlier run, whose end was missed,
  // ends.
  Result<void> RememberMachine(const std::string& name, const std::string& id) const;

  [[nodiscard]] const std::string& run_dir() const { return config_.run_dir; }

 private:
  Result<void> Start() const;
  [[nodiscard]] std::string Socket() const;
  [[nodiscard]] std::string LogFile() const;
  [[nodiscard]] std::string MachineFile() const;

  std::string uuid_;
  DomainConfig config_;
};

}  // namespace openhook::libvirt

#endif  // BROKER_LIBVIRT_BROKER_PROCESS_H_
