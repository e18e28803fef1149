// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tests/hostile/swapper.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <stdexcept>
#include <utility>

namespace openhook::hostile {

namespace {

constexpr int kLongestPause = 32;  // turns of the processor

bool Exchange(const std::string& one, const std::string& other) {
  return ::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE) == 0;
}

bool Bind(const std::string& what, const std::string& where) {
  return ::mount(what.c_str(), where.c_str(), nullptr, MS_BIND, nullptr) == 0;
}

bool Unbind(const std::string& where) { return ::umount2(where.c_str(), MNT_DETACH) == 0; }

}  // namespace

Swapper::Swapper(std::string base, Trick trick)
    : base_(std::move(base)),
      trick_(trick),
      disk_(base_ + "/vm/disk"),
      keep_(base_ + "/keep"),
      secret_(base_ + "/evil/disk"),
      fresh_(base_ + "/fresh") {
  if (::link(disk_.c_str(), keep_.c_str()) != 0 ||
      ::symlink("evil", (base_ + "/door").c_str()) != 0) {
    throw std::runtime_error("cannot prepare " + base_);
  }
  thread_ = std::thread([this] { Run(); });
}

void Swapper::Stop() {
  stop_ = true;
  if (thread_.joinable()) {
    thread_.join();
  }
}

void Swapper::Run() {
  while (!stop_) {
    if (!Swap()) {
      continue;
    }
    // From not at all to a few opens long, so that each step of an open meets the swap.
    for (int pause = swaps_ % kLongestPause; pause > 0; --pause) {
      std::this_thread::yield();
    }
    if (SwapBack()) {
      ++swaps_;
    }
  }
}

bool Swapper::PutFresh() const { return ::rename(fresh_.c_str(), disk_.c_str()) == 0; }

// rename(2) does nothing when both names are the same file already, so the rest is removed.
bool Swapper::PutLink(const std::string& target) const {
  const bool put = ::link(target.c_str(), fresh_.c_str()) == 0 && PutFresh();
  ::unlink(fresh_.c_str());
  return put;
}

bool Swapper::Swap() const {
  switch (trick_) {
    case Trick::kSymlink:
      return ::symlink(secret_.c_str(), fresh_.c_str()) == 0 && PutFresh();
    case Trick::kHardLink:
      return PutLink(secret_);
    case Trick::kRename:
      return Exchange(disk_, secret_);
    case Trick::kFifo:
      return ::mkfifo(fresh_.c_str(), 0600) == 0 && PutFresh();
    case Trick::kBindMount:
      return Bind(secret_, disk_);
    case Trick::kParentSymlink:
      return Exchange(base_ + "/vm", base_ + "/door");
    case Trick::kParentRename:
      return Exchange(base_ + "/vm", base_ + "/evil");
    case Trick::kParentBindMount:
      return Bind(base_ + "/evil", base_ + "/vm");
  }
  return false;
}

bool Swapper::SwapBack() const {
  switch (trick_) {
    case Trick::kSymlink:
    case Trick::kHardLink:
    case Trick::kFifo:
      return PutLink(keep_);
    case Trick::kBindMount:
      return Unbind(disk_);
    case Trick::kParentBindMount:
      return Unbind(base_ + "/vm");
    case Trick::kRename:
    case Trick::kParentSymlink:
    case Trick::kParentRename:
      break;
  }
  return Swap();
}

}  // namespace openhook::hostile
