// SPDX-License-Identifier: LGPL-2.1-or-later

#include "policy/loader/options.h"

#include <CLI/CLI.hpp>
#include <sstream>

#include "broker/base/canonical_path.h"
#include "broker/base/text.h"

namespace openhook::loader {

namespace {

void Declare(CLI::App* app, Options* options) {
  app->add_option("--vm", options->place.vm.uuid, "UUID of the VM whose profile this loader loads")
      ->required();
  app->add_option("--name", options->place.vm.name,
                  "the domain's name, @{OPENHOOK_NAME} in the template");
  app->add_option("--id", options->place.vm.id,
                  "libvirt's number of the running domain, @{OPENHOOK_ID} in the template; any "
                  "number unless told");
  app->add_option("--run-dir", options->run_dir,
                  "where the broker's sockets are, in a directory per VM")
      ->capture_default_str();
  app->add_option("--apparmor-dir", options->place.apparmor_dir,
                  "where the template is read and the profile is written")
      ->capture_default_str();
  app->add_option("--forbid", options->forbidden,
                  "directory below which no file is given, beside /var/lib/openhook, --run-dir and "
                  "what is never given");
  app->set_version_flag("--version", "openhook-loader " OPENHOOK_VERSION);
}

Result<void> Check(Options* options) {
  if (!apparmor::IsUuid(options->place.vm.uuid)) {
    return Fail(ErrorCode::kInvalidArgument,
                "--vm " + Quote(options->place.vm.uuid) + " is not a UUID in lower case");
  }
  options->forbidden.push_back("/var/lib/openhook");
  options->forbidden.push_back(options->run_dir);
  std::vector<std::string> directories = options->forbidden;
  directories.push_back(options->place.apparmor_dir);
  for (const std::string& directory : directories) {
    if (auto path = CanonicalPath::Parse(directory); !path) {
      return tl::make_unexpected(path.error());
    }
  }
  return {};
}

}  // namespace

tl::expected<Options, EarlyExit> ParseOptions(int argc, const char* const* argv) {
  CLI::App app("openhook-loader keeps one VM's AppArmor profile in the kernel as its broker says.",
               "openhook-loader");
  Options options;
  Declare(&app, &options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    const int status = app.exit(error, out, out) == 0 ? 0 : 2;
    return tl::make_unexpected(EarlyExit{status, out.str()});
  }
  if (auto checked = Check(&options); !checked) {
    return tl::make_unexpected(
        EarlyExit{2, "openhook-loader: " + checked.error().Message() + "\n"});
  }
  return options;
}

}  // namespace openhook::loader
