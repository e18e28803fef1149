// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One line for the administrator on standard error, which is QEMU's log. Built on the stack and
// written with one write(2), so it works at any time: before main, in a signal handler, in a child
// of vfork. The same line is printed three times in a row and then no more, so that a program that
// polls does not fill a disk.

#ifndef QEMU_SHIM_CLIENT_REPORT_H_
#define QEMU_SHIM_CLIENT_REPORT_H_

#include <cstddef>
#include <string_view>

#include "broker/base/unique_fd.h"

namespace openhook::client {

class Line {
 public:
  Line();

  Line& Add(std::string_view text);
  // Between single quotes; bytes that could forge a line or confuse a terminal become \xHH.
  Line& AddQuoted(std::string_view bytes);
  Line& AddNumber(long number);
  // To this process's standard error.
  void Print();
  // To another stream. Never waits: a full pipe, like no stream at all, loses the line.
  void PrintTo(const UniqueFd& stream);

 private:
  void Push(char c);
  // False when it was printed often enough. Ends it with a newline.
  bool Finish();

  // Room for a long path; what does not fit is left out.
  char text_[1024];
  std::size_t size_ = 0;
};

}  // namespace openhook::client

#endif  // QEMU_SHIM_CLIENT_REPORT_H_
