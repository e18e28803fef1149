// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One VM's broker without its sockets: the whitelist, its store and the audit log, and the changes
// that keep the three in step. A change is resolved against the file system, planned, made durable,
// and only then applied; each leaves exactly one audit event.

#ifndef BROKER_SERVER_BROKER_H_
#define BROKER_SERVER_BROKER_H_

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "broker/audit/audit_log.h"
#include "broker/base/result.h"
#include "broker/fs/holders.h"
#include "broker/server/kernel_step.h"
#include "broker/server/options.h"
#include "broker/server/write_locks.h"
#include "broker/store/store.h"
#include "broker/whitelist/chain_grant.h"
#include "broker/whitelist/decide.h"
#include "broker/whitelist/ending.h"
#include "broker/whitelist/job_plan.h"
#include "broker/whitelist/whitelist.h"
#include "broker/worker/jobs.h"
#include "policy/label/label.h"
#include "policy/label/unchecked.h"

namespace openhook::server {

// One wanted grant, as a manager words it.
struct WantedGrant {
  std::string path;                  // absolute, may lead through symlinks
  std::vector<std::string> aliases;  // absolute
  whitelist::GrantAccess access = whitelist::GrantAccess::kRead;
  std::string source;
  std::string format;
  std::string role;
  std::uint32_t depth = 0;
  std::uint64_t expected_dev = 0;  // with expected_ino 0: not said
  std::uint64_t expected_ino = 0;
  bool shareable = false;  // other VMs may have it read-write too
};

// One wanted job. Names of images may be any that are granted.
struct WantedJob {
  whitelist::JobRequest request;  // without top and base
  std::string top;                // empty: not said
  std::string base;
  std::vector<WantedGrant> targets;
};

using SharedSubject = std::shared_ptr<const audit::Subject>;

class Feed;
class GivenDevices;

class Broker {
 public:
  // Opens the store, confirms what it says after a reboot, and finishes or undoes an interrupted
  // creation. Errors are for the administrator; the broker does not start with a doubtful store.
  static Result<std::unique_ptr<Broker>> Start(Options options,
                                               std::vector<std::unique_ptr<audit::Sink>> sinks,
                                               worker::Pool* workers = nullptr);

  // What names files is done in two steps, because they may be where nobody answers. First they
  // are looked at; `done` is called once, perhaps before this returns. Then the change is planned
  // against the whitelist of that moment and committed, with nothing in between.
  using Resolved = Result<std::vector<whitelist::Grant>>;
  void Resolve(const std::string& lease, std::vector<WantedGrant> wanted,
               std::function<void(Resolved)> done);
  Result<whitelist::Change> GrantResolved(const std::string& lease,
                                          const std::vector<WantedGrant>& wanted, Resolved grants,
                                          SharedSubject subject);
  Result<whitelist::Change> GrantChainResolved(const whitelist::WantedChain& chain,
                                               const std::vector<WantedGrant>& wanted,
                                               Resolved grants, SharedSubject subject);
  Result<whitelist::JobPlan> BeginJobResolved(const WantedJob& wanted, Resolved targets,
                                              SharedSubject subject);

  // What the same would add, were it committed now. Errors: as far as the whitelist alone knows.
  [[nodiscard]] Result<whitelist::Change> Preview(const whitelist::WantedChain& chain,
                                                  const Resolved& grants) const;
  [[nodiscard]] Result<whitelist::Change> Preview(const WantedJob& wanted,
                                                  const Resolved& targets) const;

  // The same with both steps at once, waiting for the file systems.
  // All or nothing. Returns what is in force afterwards.
  Result<whitelist::Change> Grant(const std::string& lease, const std::vector<WantedGrant>& wanted,
                                  SharedSubject subject);
  // The same for the grants that are the chain of a disk. Errors: also those of
  // whitelist::PlanChainGrant().
  Result<whitelist::Change> GrantChain(const whitelist::WantedChain& chain,
                                       const std::vector<WantedGrant>& wanted,
                                       SharedSubject subject);
  // Returns the grants that were taken away, and what is kept because the VM has it open.
  struct Taken {
    std::vector<whitelist::Grant> grants;
    std::vector<whitelist::Grant> still_held;
  };
  Result<Taken> Revoke(const std::string& lease, const std::vector<std::string>& paths,
                       SharedSubject subject);

  // A job as it is afterwards, and the change (empty for a repeated request). Errors as
  // whitelist::PlanJobBegin() and PlanJobEnd().
  Result<whitelist::JobPlan> BeginJob(const WantedJob& wanted, SharedSubject subject);
  Result<whitelist::JobPlan> EndJob(const std::string& id, whitelist::JobState outcome,
                                    SharedSubject subject);

  // What libvirt announced of `path`, as whitelist/announced.h planned it against the whitelist of
  // this moment. An empty change is an event all the same.
  Result<void> FollowAnnounced(const std::string& path, std::string_view access,
                               Result<whitelist::Change> plan, SharedSubject subject);
  // An announcement that comes to nothing, as an event.
  void RecordRefused(const std::string& path, std::string_view access, const Error& error,
                     SharedSubject subject);
  // May files that the headers of a new image name be given to this VM: none is another VM's.
  Result<void> CheckOwners(const std::string& disk,
                           const std::vector<whitelist::Grant>& grants) const;
  // How the VM's processes have a file open at this moment.
  [[nodiscard]] whitelist::HeldProbe Probe() const;
  // Its headers are to be compared with its record.
  void CheckHeadersOf(const std::string& disk) const {
    if (disk_watch_) {
      disk_watch_(disk);
    }
  }
  // Who takes announcements; null: nobody does.
  void TakeAnnouncements(Feed* feed) { feed_ = feed; }
  [[nodiscard]] Feed* feed() const { return feed_; }
  // Who knows devices that are on no list; null: nobody does.
  void TakeDevices(GivenDevices* devices) { devices_ = devices; }
  [[nodiscard]] GivenDevices* devices() const { return devices_; }

  // Forgets the ended grants whose files the VM has closed. To be called now and then while
  // whitelist().ended() is not empty; `watch` is told of each change that leaves it so, and when a
  // client goes.
  void LetGo();
  void WatchEnded(std::function<void()> watch) { ended_watch_ = std::move(watch); }

  // `watch` is told of each disk whose job has ended.
  using DiskWatch = std::function<void(const std::string& disk)>;
  void WatchDisks(DiskWatch watch) { disk_watch_ = std::move(watch); }

  // Which processes of the VM have this file open.
  [[nodiscard]] Result<std::vector<fs::Holder>> HoldersOf(const FileIdentity& file) const;
  // A client that is connected counts as a process of the VM, whatever its user is.
  void AddSession(pid_t pid) { sessions_.insert(pid); }
  void RemoveSession(pid_t pid);
  // Tells the files whose descriptors may be on their way to the VM, where /proc does not show
  // them.
  using FilesInFlight = std::function<std::set<FileKey>()>;
  void AskForInFlight(FilesInFlight in_flight) { in_flight_ = std::move(in_flight); }

  // The file that a decision allows to be made is announced in the store first. Errors: kLimit
  // (EDQUOT); kConflict (EBUSY) while another request makes it; the store's.
  Result<store::Creating> AnnounceCreation(const whitelist::Decision& decision,
                                           const OpenIntent& intent);
  // How it ended. Until then, and for good after kUnknown, a file under this name may be ours.
  Result<void> RecordCreated(const store::Creating& creating, const FileIdentity& identity);
  enum class NotCreated : std::uint8_t { kSurely, kUnknown };
  Result<void> RecordNotCreated(const store::Creating& creating, NotCreated how);
  // May a file under this name be left over from a creation whose end we do not know?
  [[nodiscard]] bool MayBeUnfinished(const CanonicalPath& path) const;
  // A file that the VM made was removed.
  Result<void> RecordRemoved(const CanonicalPath& path);

  // Every change of the whitelist is told to `kernel` from now on; null: to nobody.
  void KeepInStep(KernelStep* kernel) { kernel_step_ = kernel; }
  [[nodiscard]] KernelStep* kernel_step() const { return kernel_step_; }

  // Asked before a file is opened for writing: no other VM of this host may write to it. Always so,
  // unless the lock was lost while the broker was away; then it is tried again. Errors: kConflict
  // naming the other VM.
  Result<void> EnsureWriteLock(const FileIdentity& identity) { return locks_.Ensure(identity); }

  // By which the labels of peers and files are checked. Until then nothing is.
  void CheckLabels(std::unique_ptr<label::BackEnd> labels) { labels_ = std::move(labels); }
  [[nodiscard]] const label::BackEnd& labels() const { return *labels_; }

  [[nodiscard]] const worker::Jobs& jobs() const { return jobs_; }
  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] const whitelist::Whitelist& whitelist() const { return whitelist_; }
  [[nodiscard]] audit::AuditLog& audit() { return audit_; }

 private:
  Broker(Options options, store::Store store, whitelist::Whitelist whitelist, WriteLocks locks,
         std::vector<std::unique_ptr<audit::Sink>> sinks, worker::Pool* workers);
  void RecordStart(const std::vector<audit::Event>& unanswered);
  void RestoreLocks();
  Result<void> EnsureWriteLocks(const whitelist::Change& change);
  Result<void> Commit(const whitelist::Change& change);
  Result<void> CheckDriftedOwners(const whitelist::WantedChain& chain,
                                  const std::vector<whitelist::Grant>& grants) const;
  [[nodiscard]] Resolved ResolveHere(const std::string& lease,
                                     const std::vector<WantedGrant>& wanted) const;
  Result<whitelist::JobRequest> NameJob(const WantedJob& wanted) const;
  Result<void> CommitEnding(whitelist::Change* change);
  void Apply(const whitelist::Change& change);
  [[nodiscard]] std::string CreatingLease(const whitelist::Entry& entry) const;

  Options options_;
  store::Store store_;
  whitelist::Whitelist whitelist_;
  WriteLocks locks_;
  audit::AuditLog audit_;
  std::multiset<pid_t> sessions_;
  FilesInFlight in_flight_;
  std::function<void()> ended_watch_;
  DiskWatch disk_watch_;
  worker::Jobs jobs_;
  KernelStep* kernel_step_ = nullptr;
  Feed* feed_ = nullptr;
  GivenDevices* devices_ = nullptr;
  std::unique_ptr<label::BackEnd> labels_ =
      label::MakeUnchecked(label::Module::kNone, "no security module was looked for");
  enum class Creation : std::uint8_t { kUnderWay, kUnknown };
  std::map<CanonicalPath, Creation> creations_;
};

}  // namespace openhook::server

#endif  // BROKER_SERVER_BROKER_H_
