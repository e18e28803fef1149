// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A host for the tests of the kernel lab: a real openhook-loader and a real openhookd for one VM,
// on a kernel that has AppArmor in force, each confined by the profile that policy/install ships.

#ifndef TESTS_LSM_PROFILE_HOST_H_
#define TESTS_LSM_PROFILE_HOST_H_

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "policy/label/file_use.h"
#include "proto/control.pb.h"
#include "tests/support/raw_peer.h"

namespace openhook::lsm {

inline constexpr char kVm[] = "11111111-2222-4333-8444-555555555555";
inline constexpr char kProfile[] = "libvirt-11111111-2222-4333-8444-555555555555";
inline constexpr uid_t kVmUid = 64055;

class Host {
 public:
  // Both run, and the profile is in step.
  Host();
  // Ends both; the profile stays loaded, as it is meant to.
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  void StartLoader(const std::vector<std::string>& more_words = {});
  void StartBroker(const std::vector<std::string>& more_words = {});
  void KillLoader();
  void KillBroker();
  // Until openhookctl status would say so.
  [[nodiscard]] bool AwaitInStep() const;

  // Makes a file in the VM's directory; its path.
  [[nodiscard]] std::string File(const std::string& name) const;
  [[nodiscard]] const std::string& files() const { return files_; }
  [[nodiscard]] std::string ControlSocket() const { return RunDir() + "/control.sock"; }
  [[nodiscard]] std::string OpenSocket() const { return RunDir() + "/open.sock"; }

  [[nodiscard]] proto::ControlReply Ask(const proto::ControlRequest& request) const;
  [[nodiscard]] proto::StatusReply Status() const;
  // What the last `count` events say.
  [[nodiscard]] std::string Events() const;

 private:
  [[nodiscard]] std::string RunDir() const { return std::string("/run/openhook/") + kVm; }

  std::string files_;
  pid_t loader_ = -1;
  pid_t broker_ = -1;
};

proto::ControlRequest GrantRequest(const std::vector<std::string>& paths, proto::GrantAccess access,
                                   const std::string& lease = "test");
proto::ControlRequest RevokeRequest(const std::string& path, const std::string& lease = "test");

// What the kernel says now: "read, write, lock", "" for nothing, "not loaded".
std::string KernelAllows(const std::string& path);
inline constexpr char kAll[] = "read, write, lock";
inline constexpr char kReading[] = "read, lock";

std::uint64_t KernelRevision();

// apparmor_parser with this text as its input and these options.
int Parse(const std::string& options, const std::string& text);

// Until `true_now` or the time has passed; the last answer.
bool Within(int milliseconds, const std::function<bool()>& true_now);

}  // namespace openhook::lsm

#endif  // TESTS_LSM_PROFILE_HOST_H_
