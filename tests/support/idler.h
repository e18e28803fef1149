// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Another process, for tests of what is told about processes: it does one thing, and then nothing
// until it is killed.

#ifndef TESTS_SUPPORT_IDLER_H_
#define TESTS_SUPPORT_IDLER_H_

#include <sys/types.h>

#include <functional>

namespace openhook::testing {

class Idler {
 public:
  // Returns when `setup` has run in the new process, which has one thread.
  explicit Idler(const std::function<bool()>& setup);
  ~Idler() { Kill(); }
  Idler(const Idler&) = delete;
  Idler& operator=(const Idler&) = delete;

  // Returns when it is gone.
  void Kill();
  [[nodiscard]] pid_t pid() const { return pid_; }
  // What `setup` has returned.
  [[nodiscard]] bool set_up() const { return set_up_; }

 private:
  pid_t pid_ = 0;
  bool set_up_ = false;
};

}  // namespace openhook::testing

#endif  // TESTS_SUPPORT_IDLER_H_
