// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An attacker with write access to the directory of a granted file: puts another file under its
// name and the right one back, as fast as it can, until it is stopped.

#ifndef TESTS_HOSTILE_SWAPPER_H_
#define TESTS_HOSTILE_SWAPPER_H_

#include <atomic>
#include <string>
#include <thread>

namespace openhook::hostile {

enum class Trick {
  kSymlink,          // the name becomes a symlink to the secret
  kHardLink,         // the name becomes a hard link to the secret
  kRename,           // the two files exchange their names
  kFifo,             // the name becomes a FIFO that nobody writes to
  kBindMount,        // the secret is mounted over the name
  kParentSymlink,    // the directory becomes a symlink to one that holds the secret by this name
  kParentRename,     // the two directories exchange their names
  kParentBindMount,  // the other directory is mounted over the directory
};

// `base`/vm/disk is the granted file, `base`/evil/disk the secret, which a Swapper makes.
// Everything is as it was when Stop() returns.
class Swapper {
 public:
  Swapper(std::string base, Trick trick);
  ~Swapper() { Stop(); }
  Swapper(const Swapper&) = delete;
  Swapper& operator=(const Swapper&) = delete;

  void Stop();
  // Swaps that worked so far.
  [[nodiscard]] int swaps() const { return swaps_; }

 private:
  void Run();
  [[nodiscard]] bool Swap() const;
  [[nodiscard]] bool SwapBack() const;
  [[nodiscard]] bool PutLink(const std::string& target) const;
  [[nodiscard]] bool PutFresh() const;

  std::string base_;
  Trick trick_;
  std::string disk_;
  std::string keep_;  // a second name of the granted file
  std::string secret_;
  std::string fresh_;  // what is about to be renamed over the disk
  std::atomic<bool> stop_ = false;
  std::atomic<int> swaps_ = 0;
  std::thread thread_;
};

}  // namespace openhook::hostile

#endif  // TESTS_HOSTILE_SWAPPER_H_
