// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhookctl grant: one file, or the whole backing chain of an image in one request, so that the
// broker takes all of it or nothing.

#include <fmt/format.h>

#include <memory>
#include <ostream>

#include "broker/chain/chain_grants.h"
#include "broker/chain/read_chain.h"
#include "broker/client/socket_owner.h"
#include "broker/ctl/commands.h"
#include "broker/ctl/json_output.h"
#include "broker/ctl/render.h"
#include "broker/ctl/validators.h"

namespace openhook::ctl {

namespace {

struct GrantOptions {
  std::string path;
  bool write = false;
  bool create = false;
  bool chain = false;
  bool shareable = false;
  std::string format;
  std::string lease;
  std::string source;
  std::string disk;
  bool incoming = false;
  bool accept_drift = false;
};

proto::GrantAccess AccessOf(const GrantOptions& options) {
  if (options.create) {
    return proto::GRANT_ACCESS_CREATE;
  }
  return options.write ? proto::GRANT_ACCESS_READ_WRITE : proto::GRANT_ACCESS_READ;
}

Result<proto::GrantRequest> RequestForFile(const GrantOptions& options) {
  proto::GrantRequest request;
  proto::GrantSpec* spec = request.add_grants();
  spec->set_path(options.path);
  spec->set_access(AccessOf(options));
  spec->set_source(options.source);
  spec->set_shareable(options.shareable);
  return request;
}

Result<proto::GrantRequest> RequestForChain(const Invocation& invocation,
                                            const GrantOptions& options) {
  const Result<chain::ReadChain> read = chain::ReadChainOf(options.path, options.format);
  if (!read) {
    return tl::make_unexpected(read.error());
  }
  const Result<void> allowed = chain::CheckMayBeGranted(read->chain);
  if (!allowed) {
    return tl::make_unexpected(allowed.error());
  }
  for (const std::string& warning : read->chain.warnings) {
    invocation.err << "openhookctl: warning: " << warning << '\n';
  }
  Result<proto::GrantRequest> request = chain::GrantsOfChain(
      read->chain, read->opener, {AccessOf(options), options.source, options.shareable});
  if (request) {
    request->set_disk(options.disk.empty() ? read->chain.members.front().path.str() : options.disk);
    request->set_disk_writable(options.write || options.incoming);
    request->set_accept_drift(options.accept_drift);
  }
  return request;
}

Result<void> RunGrant(const Invocation& invocation, const GrantOptions& options) {
  Result<proto::GrantRequest> grants =
      options.chain ? RequestForChain(invocation, options) : RequestForFile(options);
  if (!grants) {
    return tl::make_unexpected(std::move(grants).error());
  }
  grants->set_lease(options.lease.empty() ? "admin:" + client::CallerName() : options.lease);
  proto::ControlRequest request;
  *request.mutable_grant() = std::move(*grants);
  const Result<proto::ChangeReply> change = AskForChange(invocation, std::move(request));
  if (!change) {
    return tl::make_unexpected(change.error());
  }
  if (invocation.options.json) {
    invocation.out << Dump(ChangeToJson(*change)) << '\n';
  } else {
    invocation.out << "Granted:\n" << RenderGrants(change->grants());
  }
  return {};
}

}  // namespace

void AddGrantCommand(CLI::App* app, const Invocation& invocation, Action* chosen) {
  CLI::App* grant =
      app->add_subcommand("grant", "Let the VM use a file, or an image's whole chain");
  const auto options = std::make_shared<GrantOptions>();
  grant->add_option("path", options->path, "The file, spelled as QEMU will spell it")
      ->required()
      ->check(AbsolutePathValidator())
      ->type_name("PATH");
  CLI::Option* write = grant->add_flag("--write", options->write, "Reading and writing");
  grant
      ->add_flag("--create", options->create,
                 "Creating, truncating and writing; of a directory: any file directly in it")
      ->excludes(write);
  CLI::Option* chain = grant->add_flag(
      "--chain", options->chain,
      "The image and everything behind it; with --write the image alone becomes writable");
  chain->excludes("--create");
  grant
      ->add_flag("--shareable", options->shareable,
                 "Other VMs may write to it too, if it is granted to them like that; with --chain "
                 "the image, its data file and its extents, and none of those below")
      ->needs(write);
  grant
      ->add_option("--format", options->format, "The image's format (" + image::FormatNames() + ")")
      ->needs(chain)
      ->type_name("FORMAT");
  grant
      ->add_option("--disk", options->disk,
                   "Name of the disk in this VM, e.g. vda; not given: the image's path")
      ->needs(chain)
      ->type_name("NAME");
  grant
      ->add_flag("--incoming", options->incoming,
                 "The VM is to be migrated in: it writes only when a migrate-in job says so")
      ->needs(chain)
      ->excludes(write);
  grant
      ->add_flag("--accept-drift", options->accept_drift,
                 "Believe the headers, whatever was known of this disk before")
      ->needs(chain);
  grant->add_option("--lease", options->lease, "Owner of the grant; not given: admin:YOUR-NAME")
      ->check(LeaseNameValidator())
      ->type_name("LEASE");
  grant->add_option("--source", options->source, "What the file is for, e.g. \"disk vda\"")
      ->check(SourceValidator())
      ->type_name("TEXT");
  grant->footer(
      "Examples: openhookctl grant /srv/images/vm1.qcow2 --write --chain --format qcow2\n"
      "          openhookctl grant /srv/dumps --create --lease job:dump-1");
  grant->callback([&invocation, chosen, options] {
    *chosen = [&invocation, options] { return RunGrant(invocation, *options); };
  });
}

}  // namespace openhook::ctl
