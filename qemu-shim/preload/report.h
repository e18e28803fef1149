// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One line for the administrator on standard error, which is QEMU's log. Built on the stack and
// written with one write(2), so it works at any time: before main, in a signal handler, in a child
// of vfork. The same line is printed three times in a row and then no more, so that a program that
// polls does not fill a disk.

#ifndef QEMU_SHIM_PRELOAD_REPORT_H_
#define QEMU_SHIM_PRELOAD_REPORT_H_

#include <cstddef>
#include <string_view>

namespace openhook::preload {

class Line {
 public:
  Line();

  Line& Add(std::string_view text);
  // Between single quotes; bytes that could forge a line or confuse a terminal become \xHH.
  Line& AddQuoted(std::string_view bytes);
  Line& AddNumber(long number);
  void Print();

 private:
  void Push(char c);

  // Room for a long path; what does not fit is left out.
  char text_[1024];
  std::size_t size_ = 0;
};

}  // namespace openhook::preload

#endif  // QEMU_SHIM_PRELOAD_REPORT_H_
