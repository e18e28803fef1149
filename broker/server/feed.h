// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Follows what libvirt announces of a VM's images (whitelist/announced.h): reads the chain of an
// image that is new, and looks again for a while at those that were made empty, or that stand on a
// disk of the VM, because libvirt does not say when a snapshot is done. What a header says counts
// for a new image as the drift policy lets it, and only towards files that the VM has already where
// QEMU has written it.

#ifndef BROKER_SERVER_FEED_H_
#define BROKER_SERVER_FEED_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "broker/base/result.h"
#include "broker/server/broker.h"
#include "proto/control.pb.h"

namespace openhook::server {

class Feed {
 public:
  // `broker` outlives the feed.
  Feed(boost::asio::io_context& loop, Broker* broker);
  ~Feed();
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  // Calls `done` once, when the whitelist follows, or with the reason why it does not.
  using Done = std::function<void(const Result<void>&)>;
  void Take(const proto::Announcement& announcement, SharedSubject subject, Done done);

 private:
  // One after the other: what is announced together may concern the same images.
  using Task = std::function<void(std::function<void()> next)>;
  void Add(Task task);
  void RunNext();

  void Acquire(const proto::Announcement& announcement, const SharedSubject& subject,
               const Done& done);
  void AcquireNew(const proto::Announcement& announcement, const SharedSubject& subject,
                  const Done& done);
  void GrantNew(const proto::Announcement& announcement, const proto::GrantRequest& read,
                const SharedSubject& subject, const Done& done);
  void GrantChain(const whitelist::WantedChain& chain, const std::vector<WantedGrant>& wanted,
                  const Broker::Resolved& grants, const SharedSubject& subject, const Done& done);
  [[nodiscard]] std::string PathOf(const std::string& name) const;
  void Release(const std::string& name, const SharedSubject& subject, const Done& done);
  void EndMachine(const SharedSubject& subject, const Done& done);
  // A change that is planned against the whitelist of the moment when it is made.
  using Plan = std::function<Result<whitelist::Change>()>;
  void Change(const std::string& path, std::string_view access, const Plan& plan,
              const SharedSubject& subject, const Done& done);

  // One after the other, by disk or by path.
  using Step = void (Feed::*)(const std::string& name, const std::function<void()>& done);
  void ForEach(std::vector<std::string> names, Step step, const std::function<void()>& done);

  // libvirt does not say when a commit was aborted: writing ends a while after QEMU's does.
  [[nodiscard]] std::vector<std::string> UnusedWriting();
  void EndWriting(const std::string& path, const std::function<void()>& done);
  // Looks at all images that something may have happened to.
  void Look(const std::function<void()>& done);
  void LookAt(const std::string& disk, const std::function<void()>& done);
  void PutOnTop(const std::string& disk, const std::function<void()>& done);
  // A disk whose images below the active one were released.
  void Shorten(const std::string& disk, const std::function<void()>& done);
  // What the headers of a disk say now.
  using WhenRead =
      std::function<void(const whitelist::WantedChain&, const std::vector<WantedGrant>& wanted)>;
  void Reread(const whitelist::ChainRecord& chain, const WhenRead& take,
              const std::function<void()>& otherwise);
  void TakeWritten(const whitelist::WantedChain& chain, const std::vector<WantedGrant>& wanted,
                   const std::function<void()>& done);
  void TakeShorter(const whitelist::WantedChain& chain, const std::vector<WantedGrant>& wanted,
                   const std::function<void()>& done);
  [[nodiscard]] std::vector<std::string> Unsettled() const;
  void EndReleased(const std::function<void()>& done);
  void FinishRelease(const std::string& path, const SharedSubject& subject, const Done& done);
  [[nodiscard]] bool HasUnwritten() const;
  [[nodiscard]] bool HasWriting() const;
  void Watch();
  void Wait();
  void WaitAgain();

  Broker* broker_;
  boost::asio::steady_timer timer_;
  std::chrono::milliseconds pause_{0};
  std::chrono::steady_clock::time_point watch_until_;
  std::deque<Task> tasks_;
  bool busy_ = false;
  // Images that QEMU may write to by libvirt's word, by path.
  struct Writing {
    bool begun = false;
    std::chrono::steady_clock::time_point unused_since;
  };
  std::map<std::string, Writing> writing_;
  // Active images whose release may be no end. An announced image has no header yet: it may be an
  // overlay on them (a snapshot). Or they rest, as those of a paused machine do: they were released
  // right after the image that they stand on, and count until QEMU has closed them.
  struct Released {
    std::chrono::steady_clock::time_point since;
    bool rests = false;
  };
  [[nodiscard]] bool MayBeNoEnd(const std::string& path, const Released& released) const;
  std::map<std::string, Released> released_;
  std::string released_last_;       // empty: something else was announced since
  std::set<std::string> given_up_;  // disks whose headers lead where the VM has nothing
};

}  // namespace openhook::server

#endif  // BROKER_SERVER_FEED_H_
