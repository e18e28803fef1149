// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The requests of the control plane that follow a VM through its life: jobs, chains, holders. Each
// function fills in the body of a reply whose outcome is OK, or returns the error that it becomes.

#ifndef BROKER_SERVER_JOB_REQUESTS_H_
#define BROKER_SERVER_JOB_REQUESTS_H_

#include <cstddef>

#include "broker/base/result.h"
#include "broker/server/broker.h"
#include "proto/control.pb.h"

namespace openhook::server {

Result<WantedJob> WantedJobFrom(const proto::JobBeginRequest& request,
                                const SharedSubject& subject);
// `targets` are those of the job after Broker::Resolve().
Result<void> BeginJob(Broker* broker, const WantedJob& wanted, Broker::Resolved targets,
                      const SharedSubject& subject, proto::JobReply* reply);
Result<void> EndJob(Broker* broker, const proto::JobEndRequest& request,
                    const SharedSubject& subject, proto::JobReply* reply);
// As many as fit into `max_bytes`.
void ListJobs(const Broker& broker, const proto::JobListRequest& request, std::size_t max_bytes,
              proto::JobListReply* reply);
void ListChains(const Broker& broker, const proto::ChainListRequest& request, std::size_t max_bytes,
                proto::ChainListReply* reply);
Result<void> FindHolders(const Broker& broker, const proto::HoldersRequest& request,
                         proto::HoldersReply* reply);

// The grants of a change that are new and live, and those that are kept because they are held; as
// many of each as fit into `max_bytes` together.
void FillChange(std::uint64_t generation, const whitelist::Change& change, std::size_t max_bytes,
                proto::ChangeReply* reply);

}  // namespace openhook::server

#endif  // BROKER_SERVER_JOB_REQUESTS_H_
