// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/given_devices.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/fs/process.h"
#include "broker/server/kernel_step.h"

namespace openhook::server {

namespace {

constexpr std::chrono::seconds kBetweenLooks{2};
constexpr std::string_view kDev = "/dev/";
// libvirt puts these into every machine's /dev (cgroup_device_acl in its qemu.conf), so they say
// nothing; the definition does.
constexpr std::string_view kEverybodys[] = {"/dev/kvm", "/dev/ptmx", "/dev/userfaultfd"};

bool IsEverybodys(const std::string& device) {
  return std::find(std::begin(kEverybodys), std::end(kEverybodys), device) != std::end(kEverybodys);
}

WantedGrant WantedDevice(const std::string& path, const std::string& device, Access access) {
  WantedGrant wanted;
  wanted.path = device;
  if (path != device) {
    wanted.aliases.push_back(path);
  }
  wanted.access =
      access == Access::kRead ? whitelist::GrantAccess::kRead : whitelist::GrantAccess::kReadWrite;
  wanted.source = "attached by libvirt";
  return wanted;
}

}  // namespace

GivenDevices::GivenDevices(boost::asio::io_context& loop, Broker* broker)
    : broker_(broker), timer_(loop) {
  broker_->TakeDevices(this);
  Wait();
}

GivenDevices::~GivenDevices() { broker_->TakeDevices(nullptr); }

void GivenDevices::Know(const fs::ProcessId& client) {
  if (!client_ || fs::StartTicksOf(client_->pid) != client_->start_ticks) {
    client_ = client;
    EndDetached();
  }
}

void GivenDevices::Take(const std::string& path, Access access, const fs::ProcessId& client,
                        SharedSubject subject, Done done) {
  if (!path.starts_with(kDev)) {
    return done(Taken::kNo);
  }
  const auto device = fs::CharacterDevice(path);
  if (!device || IsEverybodys(*device) || !fs::IsInPrivateDev(client, *device).value_or(false)) {
    return done(Taken::kNo);
  }
  client_ = client;
  Grant(WantedDevice(path, *device, access), std::move(subject), std::move(done));
}

void GivenDevices::Grant(const WantedGrant& wanted, SharedSubject subject, Done done) {
  broker_->Resolve(
      kDevicesLease, {wanted},
      [this, wanted, subject = std::move(subject),
       done = std::move(done)](const Broker::Resolved& grants) {
        const auto granted = std::make_shared<Taken>(Taken::kNo);
        ChangeInStep(
            broker_, [this, grants] { return broker_->Preview(whitelist::WantedChain(), grants); },
            [this, wanted, grants, subject, granted](const Result<void>& widened) {
              const auto change = broker_->GrantResolved(
                  kDevicesLease, {wanted}, widened ? grants : tl::make_unexpected(widened.error()),
                  subject);
              *granted = change ? Taken::kYes : Taken::kNo;
              return change.has_value();
            },
            [this, granted, done](const Result<void>& settled) {
              Wait();
              done(settled ? *granted : Taken::kNo);
            });
      });
}

// What QEMU has open of it stays readable until it is closed, as ever.
void GivenDevices::EndDetached() {
  std::vector<std::string> gone;
  for (const auto id : broker_->whitelist().GrantsOfLease(kDevicesLease)) {
    const whitelist::Grant& grant = broker_->whitelist().grants().at(id);
    if (grant.ended_unix == 0 && client_ &&
        !fs::IsInPrivateDev(*client_, grant.path.str()).value_or(true)) {
      gone.push_back(grant.path.str());
    }
  }
  if (gone.empty()) {
    return;
  }
  ChangeInStep(
      broker_, [] { return Result<whitelist::Change>(whitelist::Change()); },
      [this, gone](const Result<void>&) {
        return broker_->Revoke(kDevicesLease, gone, nullptr).has_value();
      },
      [](const Result<void>&) {});
}

void GivenDevices::Wait() {
  if (broker_->whitelist().GrantsOfLease(kDevicesLease).empty()) {
    return;
  }
  timer_.expires_after(kBetweenLooks);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      EndDetached();
      Wait();
    }
  });
}

}  // namespace openhook::server
