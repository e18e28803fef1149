// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A real openhookd in directories of its own, with what a test asks about it from outside: how many
// descriptors it holds, how much memory, whether it still runs. Needs root, as the broker does.

#ifndef TESTS_SUPPORT_BROKER_PROCESS_H_
#define TESTS_SUPPORT_BROKER_PROCESS_H_

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

#include "proto/control.pb.h"

namespace openhook::testing_support {

class BrokerProcess {
 public:
  static constexpr uid_t kVmUid = 65534;
  static constexpr const char* kVm = "11111111-2222-3333-4444-555555555555";
  // Most tests' clients have no profile, on hosts with AppArmor too.
  enum class Labels { kUnchecked, kAsTheKernelHas };

  // Runs `program` and waits until it serves. Throws std::runtime_error when it does not.
  explicit BrokerProcess(const std::string& program, const std::vector<std::string>& extra = {},
                         Labels labels = Labels::kUnchecked);
  ~BrokerProcess();
  BrokerProcess(const BrokerProcess&) = delete;
  BrokerProcess& operator=(const BrokerProcess&) = delete;

  [[nodiscard]] std::string OpenSocket() const { return run_dir_ + "/open.sock"; }
  [[nodiscard]] std::string ControlSocket() const { return run_dir_ + "/control.sock"; }
  // For the files of the VM. Removed with all that is in it.
  [[nodiscard]] const std::string& files() const { return files_; }
  // Makes a file in files(); its path.
  std::string WriteFile(const std::string& name, const std::string& content) const;

  // Throws when the broker refuses.
  void Grant(const std::string& path, proto::GrantAccess access,
             const std::vector<std::string>& aliases = {}) const;

  [[nodiscard]] bool IsRunning() const;
  [[nodiscard]] std::size_t DescriptorCount() const;
  [[nodiscard]] std::size_t ResidentKib() const;
  [[nodiscard]] std::string Log() const;

 private:
  void Start(std::vector<std::string> words);
  void AwaitReady() const;

  std::string root_;
  std::string files_;
  std::string run_dir_;
  pid_t pid_ = -1;
};

}  // namespace openhook::testing_support

#endif  // TESTS_SUPPORT_BROKER_PROCESS_H_
