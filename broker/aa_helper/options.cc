// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/aa_helper/options.h"

#include <getopt.h>

#include <array>
#include <string_view>

#include "policy/profile/apparmor_profile.h"

namespace openhook::aa_helper {

namespace {

constexpr std::string_view kNamePrefix = "libvirt-";

// Like there, the long forms of -f and -F take no argument, and so name no file.
constexpr std::array kLongOptions = {
    option{"add", no_argument, nullptr, 'a'},
    option{"create", no_argument, nullptr, 'c'},
    option{"dryrun", no_argument, nullptr, 'd'},
    option{"delete", no_argument, nullptr, 'D'},
    option{"add-file", no_argument, nullptr, 'f'},
    option{"append-file", no_argument, nullptr, 'F'},
    option{"help", no_argument, nullptr, 'h'},
    option{"replace", no_argument, nullptr, 'r'},
    option{"remove", no_argument, nullptr, 'R'},
    option{"uuid", required_argument, nullptr, 'u'},
    option{nullptr, 0, nullptr, 0},
};

// False for what is no option.
bool Take(int letter, std::string_view argument, Options* options) {
  switch (letter) {
    case 'a':
      options->mode = Mode::kAdd;
      return true;
    case 'c':
      options->mode = Mode::kCreate;
      return true;
    case 'D':
      options->mode = Mode::kDelete;
      return true;
    case 'r':
      options->mode = Mode::kReplace;
      return true;
    case 'R':
      options->mode = Mode::kRemove;
      return true;
    case 'd':
      options->run = Run::kDry;
      return true;
    case 'f':
    case 'F':
      options->extra = letter == 'F' ? Extra::kAppended : Extra::kAdded;
      options->file = argument;
      return true;
    case 'u':
      options->uuid = argument;
      return true;
    default:
      return false;
  }
}

Result<void> CheckUuid(Options* options) {
  if (!options->uuid.starts_with(kNamePrefix) ||
      !apparmor::IsUuid(std::string_view(options->uuid).substr(kNamePrefix.size()))) {
    return Fail(ErrorCode::kInvalidArgument, "invalid UUID");
  }
  options->uuid.erase(0, kNamePrefix.size());
  return {};
}

}  // namespace

Result<Options> ParseOptions(int argc, char* const* argv) {
  Options options;
  bool help = false;
  optind = 0;
  for (;;) {
    const int letter = ::getopt_long(argc, argv, "acdDhrRu:f:F:", kLongOptions.data(), nullptr);
    if (letter == -1) {
      break;
    }
    help = help || letter == 'h';
    const std::string_view argument = optarg == nullptr ? std::string_view() : optarg;
    if (letter != 'h' && !Take(letter, argument, &options)) {
      return Fail(ErrorCode::kInvalidArgument, "unsupported option");
    }
  }
  if (help) {
    return Options();
  }
  if (auto checked = CheckUuid(&options); !checked) {
    return tl::make_unexpected(checked.error());
  }
  if (options.mode == Mode::kHelp) {
    return Fail(ErrorCode::kInvalidArgument, "bad command");
  }
  if (options.file.empty()) {
    options.extra = Extra::kNone;
  }
  return options;
}

std::string HelpText() {
  return R"(
virt-aa-helper mode [options] [extra file] [< def.xml]

  Modes:
    -a | --add                     load profile
    -c | --create                  create profile from template
    -D | --delete                  unload profile and delete generated rules
    -r | --replace                 reload profile
    -R | --remove                  unload profile
  Options:
    -d | --dryrun                  dry run
    -u | --uuid <uuid>             uuid (profile name)
    -h | --help                    this help
  Extra File:
    -f | --add-file <file>         add file to a profile generated from XML
    -F | --append-file <file>      append file to an existing profile

This command is intended to be used by libvirtd and not used directly.
It is openhook's: where a broker keeps the machine's profile, the rules become its grants.

)";
}

}  // namespace openhook::aa_helper
