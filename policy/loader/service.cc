// SPDX-License-Identifier: LGPL-2.1-or-later

#include "policy/loader/service.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "broker/base/limits.h"
#include "broker/base/text.h"
#include "broker/fs/directory.h"
#include "broker/fs/text_file.h"
#include "proto/bundle.h"

namespace openhook::loader {

namespace {

constexpr mode_t kPassable = 0711;  // as openhookd makes it
constexpr int kBacklog = 4;

// The umask (077) makes the socket root's alone.
Result<UniqueFd> Listen(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return Fail(ErrorCode::kInvalidArgument, "the socket path " + Quote(path) +
                                                 " is longer than 107 bytes; use a shorter "
                                                 "--run-dir");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (auto removed = fs::RemoveFile(path); !removed) {
    return tl::make_unexpected(removed.error());
  }
  if (!socket.IsValid() ||
      ::bind(socket.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(socket.Get(), kBacklog) != 0) {
    return FailErrno(errno, "cannot listen on " + Quote(path));
  }
  return socket;
}

bool IsOurUser(const UniqueFd& socket) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  return ::getsockopt(socket.Get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         peer.uid == ::geteuid();
}

void Log(const char* level, const std::string& sentence) {
  (void)std::fprintf(stderr, "%sopenhook-loader: %s\n", level, sentence.c_str());
}

}  // namespace

Result<Service> Service::Start(const Options& options, KernelPolicy* kernel) {
  for (const std::string& directory : {options.run_dir, options.VmRunDir()}) {
    if (auto made = fs::EnsurePrivateDirectory(directory, kPassable); !made) {
      return tl::make_unexpected(made.error());
    }
  }
  auto lock = fs::LockAlone(options.Lock());
  if (!lock) {
    return tl::make_unexpected(lock.error());
  }
  auto listening = Listen(options.Socket());
  if (!listening) {
    return tl::make_unexpected(listening.error());
  }
  return Service(options, kernel, std::move(*lock), std::move(*listening));
}

Service::Service(const Options& options, KernelPolicy* kernel, UniqueFd lock, UniqueFd listening)
    : profile_name_(apparmor::ProfileName(options.place.vm.uuid)),
      kernel_(kernel),
      profile_(options.place, kernel),
      list_(profile_name_, options.forbidden),
      lock_(std::move(lock)),
      listening_(std::move(listening)),
      revision_(kernel->ReadRevision()),
      buffer_(limits::kMaxLoaderPacket) {}

Result<void> Service::Run() {
  for (;;) {
    // poll(2) passes over negative descriptors.
    std::array<pollfd, 3> watched{{{listening_.Get(), POLLIN, 0},
                                   {client_.Get(), POLLIN, 0},
                                   {kernel_->revision_file().Get(), POLLIN, 0}}};
    if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) {
      return FailErrno(errno, "cannot wait for requests");
    }
    const auto [listening, client, revision] = watched;
    if (revision.revents != 0) {
      LookAtRevision();
    }
    if (client.revents != 0) {
      ServeClient();
    }
    if (listening.revents != 0) {
      Accept();
    }
  }
}

// A broker that was started anew replaces the one before, which may still hang somewhere. Two
// cannot run: the store of a VM has one owner.
void Service::Accept() {
  UniqueFd socket(::accept4(listening_.Get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!socket.IsValid()) {
    return;
  }
  if (!IsOurUser(socket)) {
    Log("<4>", "refused a connection of another user");
    return;
  }
  client_ = std::move(socket);
  list_.Forget();
}

void Service::ServeClient() {
  const ReceivedBundle packet = ReceiveBundle(client_.Get(), buffer_.data(), buffer_.size(),
                                              DescriptorRule::kNone, WaitMode::kDontWait);
  if (packet.status == BundleStatus::kAgain) {
    return;
  }
  if (packet.status == BundleStatus::kTooLarge || packet.status == BundleStatus::kUnexpectedFds) {
    Reply(0, proto::LOADER_OUTCOME_REFUSED, "a packet is too large, or came with a descriptor");
  }
  if (packet.status != BundleStatus::kOk) {
    client_.Reset();
    return;
  }
  const auto list = list_.Add({buffer_.data(), packet.size});
  if (!list) {
    Log("<4>", list.error().Message());
    return Reply(list_.last_id(), proto::LOADER_OUTCOME_REFUSED, list.error().Message());
  }
  if (*list) {
    Answer(**list);
  }
}

void Service::Answer(const RuleList::Complete& list) {
  const auto set = profile_.Set(list.rules);
  if (!set) {
    Log("<3>", set.error().Message());
    return Reply(list.id, proto::LOADER_OUTCOME_FAILED, set.error().Message());
  }
  // Reading the revision hides what changed before it, so that is looked at.
  LookAtRevision();
  Reply(list.id, proto::LOADER_OUTCOME_IN_FORCE, "");
}

void Service::LookAtRevision() {
  revision_ = kernel_->ReadRevision();
  const auto found = profile_.PutRight();
  if (!found) {
    const std::string reason = "another program changed the AppArmor profile " + profile_name_ +
                               ", and it cannot be put right: " + found.error().Message();
    Log("<3>", reason);
    return Reply(0, proto::LOADER_OUTCOME_NOT_PUT_RIGHT, reason);
  }
  if (*found == VmProfile::Finding::kOurs) {
    return;
  }
  const std::string reason =
      *found == VmProfile::Finding::kReplaced
          ? "another program had replaced the AppArmor profile " + profile_name_ +
                "; the VM's is loaded again"
          : "another program had removed the AppArmor profile " + profile_name_ +
                "; it is loaded again, but processes that ran in it are unconfined for good: stop "
                "the VM and start it again";
  Log("<4>", reason);
  Reply(0, proto::LOADER_OUTCOME_PUT_RIGHT, reason);
}

void Service::Reply(std::uint64_t id, proto::LoaderOutcome outcome, std::string reason) {
  proto::LoaderReply reply;
  reply.set_id(id);
  reply.set_outcome(outcome);
  reply.set_reason(std::move(reason));
  reply.set_revision(revision_);
  const std::string packet = reply.SerializeAsString();
  // A broker that reads no answers has to connect anew.
  if (client_.IsValid() &&
      SendBundle(client_.Get(), packet.data(), packet.size(), WaitMode::kDontWait).status !=
          BundleStatus::kOk) {
    client_.Reset();
  }
}

}  // namespace openhook::loader
