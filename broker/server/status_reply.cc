// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/status_reply.h"

#include <unistd.h>

#include <algorithm>

namespace openhook::server {

void FillBrokerStatus(Broker* broker, proto::StatusReply* reply) {
  const Options& options = broker->options();
  const auto& counters = broker->audit().counters();
  reply->set_vm(options.vm);
  reply->set_version(OPENHOOK_VERSION);
  reply->set_pid(::getpid());
  reply->set_generation(broker->whitelist().generation());
  reply->set_grants(broker->whitelist().grants().size());
  reply->set_leases(broker->whitelist().LeaseCount());
  reply->set_created_files(broker->whitelist().created().size());
  reply->set_allowed(counters.allowed);
  reply->set_denied(counters.denied);
  reply->set_failed(counters.failed);
  reply->set_state_dir(options.state_dir);
  reply->set_run_dir(options.run_dir);
  reply->set_vm_uid(options.vm_uid);
  const label::Level& level = broker->labels().level();
  reply->set_peer_label(level.demanded);
  reply->set_security_module(std::string(ToString(level.module)));
  reply->set_label_level(std::string(ToString(level.checked)));
  reply->set_label_sentence(level.sentence);
  const auto& jobs = broker->whitelist().jobs();
  reply->set_running_jobs(
      static_cast<std::uint64_t>(std::count_if(jobs.begin(), jobs.end(), [](const auto& job) {
        return job.second.state == whitelist::JobState::kRunning;
      })));
  reply->set_ended_held(broker->whitelist().ended().size());
  reply->set_drift(std::string(ToString(options.drift.policy)));
}

}  // namespace openhook::server
