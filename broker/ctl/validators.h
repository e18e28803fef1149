// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the command-line parser checks in a value before any subcommand runs. A value that fails is
// a usage error (exit 2).

#ifndef BROKER_CTL_VALIDATORS_H_
#define BROKER_CTL_VALIDATORS_H_

#include <CLI/CLI.hpp>

namespace openhook::ctl {

CLI::Validator UuidValidator();
CLI::Validator AbsolutePathValidator();
CLI::Validator LeaseNameValidator();
CLI::Validator SourceValidator();

}  // namespace openhook::ctl

#endif  // BROKER_CTL_VALIDATORS_H_
