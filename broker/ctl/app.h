// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhookctl without its main(): parses the command line, runs the one subcommand, reports.
// Output goes to `out`, every message to `err`.

#ifndef BROKER_CTL_APP_H_
#define BROKER_CTL_APP_H_

#include <iosfwd>

namespace openhook::ctl {

// Exit statuses, also of scripts that call us: docs/cli.md.
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;  // refused, failed, or the outcome is not known
inline constexpr int kExitUsage = 2;

int RunApp(int argc, const char* const* argv, std::ostream& out, std::ostream& err);

}  // namespace openhook::ctl

#endif  // BROKER_CTL_APP_H_
