// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhookctl chain: the files that an image consists of. Needs no broker, only the right to read
// the files.

#include <fmt/format.h>

#include <memory>
#include <ostream>

#include "broker/base/text.h"
#include "broker/chain/read_chain.h"
#include "broker/ctl/commands.h"
#include "broker/ctl/json_output.h"
#include "broker/ctl/table.h"

namespace openhook::ctl {

namespace {

struct ChainOptions {
  std::string image;
  std::string format;
};

Json MemberToJson(const image::ChainMember& member) {
  Json json;
  SetPath(&json, "path", member.path.str());
  SetPath(&json, "requested", member.name);
  json["format"] = image::ToString(member.format);
  json["depth"] = member.depth;
  json["role"] = image::ToString(member.role);
  json["access"] = image::ToString(member.access);
  return json;
}

Json ChainToJson(const image::Chain& chain) {
  Json json;
  json["images"] = Json::array();
  for (const image::ChainMember& member : chain.members) {
    json["images"].push_back(MemberToJson(member));
  }
  json["network"] = Json::array();
  for (const image::NetworkMember& member : chain.network) {
    json["network"].push_back({{"name", member.name}, {"depth", member.depth}});
  }
  json["warnings"] = chain.warnings;
  json["format_probed"] = chain.image_format == image::FormatSource::kProbed;
  return json;
}

std::string RenderChain(const image::Chain& chain) {
  Table table({{"DEPTH", Align::kRight}, {"ROLE"}, {"FORMAT"}, {"ACCESS"}, {"PATH"}});
  for (const image::ChainMember& member : chain.members) {
    table.AddRow({std::to_string(member.depth), std::string(image::ToString(member.role)),
                  std::string(image::ToString(member.format)),
                  std::string(image::ToString(member.access)), member.path.str()});
    if (member.name != member.path.str()) {
      table.AddRow({" ", " ", " ", "also as", member.name});
    }
  }
  for (const image::NetworkMember& member : chain.network) {
    table.AddRow({std::to_string(member.depth), "network", "", "", member.name});
  }
  return table.Render();
}

Result<void> RunChain(const Invocation& invocation, const ChainOptions& options) {
  const Result<chain::ReadChain> read = chain::ReadChainOf(options.image, options.format);
  if (!read) {
    return tl::make_unexpected(read.error());
  }
  if (invocation.options.json) {
    invocation.out << Dump(ChainToJson(read->chain)) << '\n';
    return {};
  }
  invocation.out << RenderChain(read->chain);
  for (const std::string& warning : read->chain.warnings) {
    invocation.err << "openhookctl: warning: " << warning << '\n';
  }
  return {};
}

}  // namespace

void AddChainCommand(CLI::App* app, const Invocation& invocation, Action* chosen) {
  CLI::App* chain =
      app->add_subcommand("chain",
                          "The files that an image consists of: backing files, data files, extents "
                          "(needs no broker); or "
                          "what the broker has recorded of the VM's disks: list, check, accept");
  const auto options = std::make_shared<ChainOptions>();
  chain->add_option("image", options->image, "The image, spelled as QEMU will spell it")
      ->type_name("PATH");
  chain
      ->add_option("--format", options->format,
                   "Its format (" + image::FormatNames() + "); not given: probed, with a warning")
      ->type_name("FORMAT");
  chain->footer(
      "Examples: openhookctl chain /srv/images/vm1.qcow2 --format qcow2\n"
      "          openhookctl chain accept vda");
  AddChainRecordCommands(chain, invocation, chosen);
  chain->callback([&invocation, chosen, options, chain] {
    if (!chain->get_subcommands().empty()) {
      return;
    }
    if (options->image.empty()) {
      throw CLI::RequiredError("an image");
    }
    *chosen = [&invocation, options] { return RunChain(invocation, *options); };
  });
}

}  // namespace openhook::ctl
