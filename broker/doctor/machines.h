// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The brokers that run, and the adopted domains: each should have the other.

#ifndef BROKER_DOCTOR_MACHINES_H_
#define BROKER_DOCTOR_MACHINES_H_

#include <map>
#include <string>

#include "broker/adopt/adoption.h"
#include "broker/doctor/finding.h"
#include "broker/doctor/host_paths.h"
#include "proto/control.pb.h"

namespace openhook::doctor {

// By UUID; what each says of itself.
using Brokers = std::map<std::string, proto::StatusReply>;
// A socket that nobody listens on is no broker.
Brokers AskBrokers(const HostPaths& paths);

// How each serves its machine.
Findings CheckBrokers(const Brokers& brokers);

// `virsh` null: libvirtd does not answer, and only what is kept of the domains is looked at.
Findings CheckAdopted(const HostPaths& paths, const adopt::Virsh* virsh,
                      const adopt::Planner& planner, const Brokers& brokers);

}  // namespace openhook::doctor

#endif  // BROKER_DOCTOR_MACHINES_H_
