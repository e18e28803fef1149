// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/relay/planning.h"

#include <algorithm>

#include "broker/base/text.h"

namespace openhook::relay {

namespace {

constexpr std::size_t kMaxLabel = 64;

// Only what an id of a job may have.
std::string SafeLabel(std::string_view text) {
  std::string safe;
  for (const char c : text.substr(0, kMaxLabel)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_' || c == '-';
    safe += plain ? c : '_';
  }
  return safe;
}

}  // namespace

void Planning::Refuse(const std::string& reason) {
  plan.refusal = plan.refusal.empty() ? reason : plan.refusal;
}

std::string Planning::NodeOf(const std::string& name) const {
  const auto drive = state_.roots.find("drive:" + name);
  return drive == state_.roots.end() ? name : drive->second;
}

std::string Planning::NodeOfDevice(const std::string& id) const {
  const auto device = state_.roots.find("qdev:" + id);
  return device == state_.roots.end() ? "" : device->second;
}

std::string Planning::NeedFile(const std::string& node) {
  std::string file = graph().FileOf(node);
  if (file.empty()) {
    Refuse("openhook does not know which file the block node " + Quote(node, 256) +
           " is: name the images of a disk by node-name, in -blockdev or blockdev-add, each with "
           "its file; names that QEMU made up, and what it says about them, are not believed");
  }
  return file;
}

const DiskChain* Planning::ChainWith(const std::string& file) const {
  for (const DiskChain& chain : chains_) {
    if (std::find(chain.images.begin(), chain.images.end(), file) != chain.images.end()) {
      return &chain;
    }
  }
  return nullptr;
}

const DiskChain* Planning::ChainCalled(const std::string& disk) const {
  const auto found = std::find_if(chains_.begin(), chains_.end(),
                                  [&](const DiskChain& chain) { return chain.disk == disk; });
  return found == chains_.end() ? nullptr : &*found;
}

bool Planning::IsGiven(const std::string& file, proto::GrantAccess access) const {
  return std::any_of(chains_.begin(), chains_.end(), [&](const DiskChain& chain) {
    const auto image = std::find(chain.images.begin(), chain.images.end(), file);
    const bool writable = image == chain.images.begin() && chain.writable;
    return image != chain.images.end() && (access == proto::GRANT_ACCESS_READ || writable);
  });
}

proto::JobBeginRequest& Planning::Begin(proto::JobKind kind, std::string_view label,
                                        const std::string& watched, Sign sign) {
  proto::JobBeginRequest job;
  job.set_id("qmp-" + std::to_string((*next_job_)++) + "-" + SafeLabel(label));
  job.set_kind(kind);
  plan.watched = watched;
  plan.sign = watched.empty() ? Sign::kNone : sign;
  plan.begins.push_back(std::move(job));
  return plan.begins.back();
}

void Planning::Hold(const std::string& owner, const std::string& file, proto::GrantAccess access) {
  auto& job = Begin(proto::JOB_KIND_BACKUP, owner.substr(owner.find(':') + 1), file);
  AddTarget(&job, file, access, "");
  plan.effects.holds[owner].push_back(job.id());
}

void Planning::EndWithCommand() {
  plan.effects.ends.push_back({LastId(), proto::JOB_STATE_COMPLETED});
}

Tracked& Planning::EndWithJob(const std::string& qemu_job) {
  Tracked tracked;
  tracked.id = LastId();
  tracked.qemu = qemu_job;
  tracked.kind = plan.begins.back().kind();
  tracked.watched = plan.watched;
  tracked.sign = plan.sign;
  plan.tracked.push_back(std::move(tracked));
  return plan.tracked.back();
}

void Planning::AddImage(const std::string& name, const std::string& format, const std::string& file,
                        const std::string& backing, Effects* effects) const {
  const std::string storage = name + "/file";
  effects->nodes[storage] = {"file", file, "", "", false, false};
  effects->nodes[name] = {format, "", storage, backing, false, false};
}

std::string JobIdOf(const Json& arguments) {
  return StringAt(arguments, "job-id", StringAt(arguments, "device"));
}

void AddTarget(proto::JobBeginRequest* job, const std::string& file, proto::GrantAccess access,
               const std::string& format, std::uint32_t depth) {
  proto::GrantSpec* target = job->add_targets();
  target->set_path(file);
  target->set_access(access);
  target->set_source("monitor relay");
  target->set_format(format);
  target->set_role(depth == 0 ? "image" : "backing");
  target->set_depth(depth);
}

}  // namespace openhook::relay
