// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/header_check.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "broker/base/text.h"
#include "broker/server/control_messages.h"
#include "broker/server/kernel_step.h"

namespace openhook::server {

namespace {

constexpr std::size_t kMaxDiskInSource = 200;
constexpr std::string_view kNotCompared = "could not be compared with its recorded chain: ";

// Its images may change at any moment, as the job explains.
bool HasRunningJob(const whitelist::Whitelist& whitelist, const std::string& disk) {
  return std::any_of(whitelist.jobs().begin(), whitelist.jobs().end(), [&](const auto& job) {
    return job.second.state == whitelist::JobState::kRunning && job.second.request.disk == disk;
  });
}

// The record of a machine that has ended is for its next start.
bool IsInUse(const whitelist::Whitelist& whitelist, const whitelist::ChainRecord& record) {
  return !record.images.empty() &&
         whitelist.FindLive(record.lease, record.images.front().path) != nullptr;
}

bool IsShareable(const whitelist::Whitelist& whitelist, const whitelist::ChainRecord& record) {
  const auto grants = whitelist.GrantsOf(record.images.front().path);
  return std::any_of(grants.begin(), grants.end(), [&](const whitelist::Grant* grant) {
    return grant->lease == record.lease && grant->shareable;
  });
}

bool MayBlock(const whitelist::Whitelist& whitelist, const CanonicalPath& path) {
  const auto grants = whitelist.GrantsOf(path);
  return std::any_of(grants.begin(), grants.end(),
                     [](const whitelist::Grant* grant) { return grant->may_block; });
}

// A local disk may stand on an image elsewhere: that one's server is to blame, and to be spared.
const CanonicalPath& SlowestOf(const whitelist::Whitelist& whitelist,
                               const whitelist::ChainRecord& record) {
  for (const whitelist::ChainImage& image : record.images) {
    if (MayBlock(whitelist, image.path)) {
      return image.path;
    }
    for (const CanonicalPath& part : image.parts) {
      if (MayBlock(whitelist, part)) {
        return part;
      }
    }
  }
  return record.images.front().path;
}

}  // namespace

worker::ChainJob ChainJobFor(const whitelist::Whitelist& whitelist,
                             const whitelist::ChainRecord& record) {
  const whitelist::ChainImage& active = record.images.front();
  return {.image = active.path.str(),
          .format = active.format,
          .top = record.writable ? proto::GRANT_ACCESS_READ_WRITE : proto::GRANT_ACCESS_READ,
          .source = "disk " + Escape(record.disk, kMaxDiskInSource),
          .shareable = IsShareable(whitelist, record),
          .slowest = SlowestOf(whitelist, record).str()};
}

HeaderCheck::HeaderCheck(Broker* broker) : broker_(broker) {
  broker_->WatchDisks([this](const std::string& disk) { Add(disk); });
  for (const auto& [disk, record] : broker_->whitelist().chains()) {
    Add(disk);
  }
}

HeaderCheck::~HeaderCheck() { broker_->WatchDisks({}); }

void HeaderCheck::Add(const std::string& disk) {
  waiting_.insert(disk);
  if (!checking_) {
    CheckNext();
  }
}

void HeaderCheck::CheckNext() {
  while (!checking_ && !waiting_.empty()) {
    const std::string disk = waiting_.extract(waiting_.begin()).value();
    const whitelist::ChainRecord* record = broker_->whitelist().FindChain(disk);
    if (record == nullptr || !IsInUse(broker_->whitelist(), *record) ||
        HasRunningJob(broker_->whitelist(), disk)) {
      continue;  // nothing to read, or the end of the job brings it here again
    }
    if (record->images.front().format.empty()) {
      continue;  // a new image that is to be written yet: the feed's business
    }
    checking_ = true;
    broker_->jobs().Run(ChainJobFor(broker_->whitelist(), *record), broker_->jobs().Deadline(),
                        [this, record = *record](const Result<proto::GrantRequest>& read) {
                          TakeHeaders(record, read);
                        });
  }
}

// What was read belongs to the record of the moment when it was begun.
bool HeaderCheck::StillConcerns(const whitelist::ChainRecord& record) const {
  const whitelist::ChainRecord* now = broker_->whitelist().FindChain(record.disk);
  return now != nullptr && *now == record && IsInUse(broker_->whitelist(), record) &&
         !HasRunningJob(broker_->whitelist(), record.disk);
}

void HeaderCheck::TakeHeaders(const whitelist::ChainRecord& record,
                              const Result<proto::GrantRequest>& read) {
  if (!StillConcerns(record)) {
    return Finish();
  }
  if (!read) {
    return Report(record, std::string(kNotCompared) + read.error().Message());
  }
  auto wanted = FromWire(read->grants());
  if (!wanted) {
    return Report(record, std::string(kNotCompared) + wanted.error().Message());
  }
  broker_->Resolve(record.lease, *wanted,
                   [this, record, wanted = *wanted](Broker::Resolved grants) {
                     TakeGrants(record, wanted, std::move(grants));
                   });
}

void HeaderCheck::TakeGrants(const whitelist::ChainRecord& record,
                             const std::vector<WantedGrant>& wanted, Broker::Resolved grants) {
  if (!StillConcerns(record)) {
    return Finish();
  }
  if (!grants) {
    return Report(record, std::string(kNotCompared) + grants.error().Message());
  }
  const auto drift = whitelist::FindDrift(record, whitelist::ImagesOf(*grants));
  if (!drift) {
    return Finish();
  }
  // An overlay may have been made without a pointer, and QEMU told by name what it stands on: to
  // take that away needs somebody who asks for it.
  if (!drift->seen) {
    return Report(record, "lead to less than its recorded chain: they end before " +
                              Quote(drift->recorded->str()) +
                              ", which stays granted; to take it out of the chain: openhookctl "
                              "chain check " +
                              Quote(record.disk));
  }
  const whitelist::WantedChain chain{record.disk, record.lease, record.writable};
  ChangeInStep(
      broker_, [&] { return broker_->Preview(chain, grants); },
      [this, record, chain, wanted, grants](const Result<void>& widened) {
        // Follows, or records the refusal.
        return StillConcerns(record) &&
               broker_->GrantChainResolved(
                   chain, wanted, widened ? grants : tl::make_unexpected(widened.error()), nullptr);
      },
      [this](const Result<void>&) { Finish(); });
}

// The record stays as it is: QEMU gets what was granted, and nothing of what was not read.
void HeaderCheck::Report(const whitelist::ChainRecord& record, const std::string& what) {
  audit::Event event;
  event.operation = audit::Operation::kCheckHeaders;
  event.outcome = audit::Outcome::kFail;
  event.rule = ToString(event.operation);
  event.path = record.images.front().path.str();
  event.reason = "the headers of the disk " + Quote(record.disk) + " " + what;
  event.leases = std::make_shared<std::vector<std::string>>(1, record.lease);
  broker_->audit().Record(std::move(event));
  Finish();
}

void HeaderCheck::Finish() {
  checking_ = false;
  CheckNext();
}

}  // namespace openhook::server
