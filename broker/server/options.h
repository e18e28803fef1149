// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What an administrator tells openhookd: on the command line, or in the file named by --config with
// the same names (docs/cli.md).

#ifndef BROKER_SERVER_OPTIONS_H_
#define BROKER_SERVER_OPTIONS_H_

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "broker/base/result.h"
#include "broker/whitelist/drift.h"
#include "policy/label/choose.h"

namespace openhook::server {

struct Options {
  std::string vm;         // UUID, lower case
  std::string state_dir;  // absolute
  std::string run_dir;    // absolute
  std::string lock_dir;   // absolute; empty: in run_dir
  uid_t vm_uid = 0;
  gid_t vm_gid = 0;
  std::optional<gid_t> control_group;
  label::Wanted label;
  whitelist::DriftRules drift;
  // What is kept in step with the whitelist in the kernel.
  enum class Profile : std::uint8_t { kNone, kAppArmor };
  Profile profile = Profile::kNone;
  // Whose word counts for devices that are on no list: nobody's, or libvirt's (given_devices.h).
  enum class Devices : std::uint8_t { kListed, kLibvirts };
  Devices devices = Devices::kListed;
  std::chrono::seconds io_deadline{10};  // for a file system that does not answer

  [[nodiscard]] std::string StorePath() const { return state_dir + "/" + vm + ".db"; }
  [[nodiscard]] std::string AuditPath() const { return state_dir + "/" + vm + ".audit.jsonl"; }
  [[nodiscard]] std::string LockDir() const {
    return lock_dir.empty() ? state_dir + "/locks" : lock_dir;
  }
  [[nodiscard]] std::string VmRunDir() const { return run_dir + "/" + vm; }
  [[nodiscard]] std::string OpenSocket() const { return VmRunDir() + "/open.sock"; }
  [[nodiscard]] std::string LoaderSocket() const { return VmRunDir() + "/loader.sock"; }
  [[nodiscard]] std::string ControlSocket() const { return VmRunDir() + "/control.sock"; }
};

// What ParseOptions() decided instead of options: print `text` and exit with `status`.
struct EarlyExit {
  int status = 0;
  std::string text;
};

tl::expected<Options, EarlyExit> ParseOptions(int argc, const char* const* argv);

}  // namespace openhook::server

#endif  // BROKER_SERVER_OPTIONS_H_
