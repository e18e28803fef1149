// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The loop of openhook-loader: one broker at a time asks on loader.sock, the newest one wins, and
// the kernel's policy is watched meanwhile. One thing at a time; while a profile is compiled,
// requests wait in the socket, and brokers send the next list only after an answer.

#ifndef POLICY_LOADER_SERVICE_H_
#define POLICY_LOADER_SERVICE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"
#include "policy/loader/options.h"
#include "policy/loader/rule_list.h"
#include "proto/loader.pb.h"

namespace openhook::loader {

class Service {
 public:
  // Makes the VM's directory below run_dir where it is missing, and the socket in it. Errors:
  // kConflict when another loader serves this VM.
  static Result<Service> Start(const Options& options, KernelPolicy* kernel);

  // Until the kernel gives an error that cannot be lived with.
  Result<void> Run();

 private:
  Service(const Options& options, KernelPolicy* kernel, UniqueFd lock, UniqueFd listening);
  void Accept();
  void ServeClient();
  void Answer(const RuleList::Complete& list);
  void LookAtRevision();
  void Reply(std::uint64_t id, proto::LoaderOutcome outcome, std::string reason);

  std::string profile_name_;
  KernelPolicy* kernel_;
  VmProfile profile_;
  RuleList list_;
  UniqueFd lock_;
  UniqueFd listening_;
  UniqueFd client_;
  std::uint64_t revision_ = 0;
  std::vector<std::uint8_t> buffer_;
};

}  // namespace openhook::loader

#endif  // POLICY_LOADER_SERVICE_H_
