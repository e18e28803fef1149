// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhookctl chain list, check, accept: what the broker knows of the chains of the VM's disks, and
// whether the headers still say so.

#include <fmt/format.h>

#include <memory>
#include <ostream>

#include "broker/base/text.h"
#include "broker/ctl/chain_records.h"
#include "broker/ctl/commands.h"
#include "broker/ctl/json_output.h"
#include "broker/ctl/table.h"

namespace openhook::ctl {

namespace {

using Chains = std::vector<proto::ChainInfo>;

std::string RenderChains(const Chains& chains) {
  Table table({{"DISK"}, {"LEASE"}, {"DEPTH", Align::kRight}, {"FORMAT"}, {"PATH"}});
  for (const proto::ChainInfo& chain : chains) {
    if (chain.images().empty()) {
      table.AddRow({chain.disk(), chain.lease(), "", "", "(empty drive)"});
    }
    int depth = 0;
    for (const proto::ChainImage& image : chain.images()) {
      table.AddRow({depth == 0 ? chain.disk() : " ", depth == 0 ? chain.lease() : " ",
                    std::to_string(depth), image.format(), image.path()});
      for (const std::string& part : image.parts()) {
        table.AddRow({" ", " ", " ", "part", part});
      }
      ++depth;
    }
  }
  return table.Render();
}

Result<void> RunChainList(const Invocation& invocation) {
  Result<ControlClient> client = ConnectToBroker(invocation);
  if (!client) {
    return tl::make_unexpected(std::move(client).error());
  }
  const Result<Chains> chains = AskChains(&*client);
  if (!chains) {
    return tl::make_unexpected(chains.error());
  }
  if (invocation.options.json) {
    Json json;
    json["chains"] = Json::array();
    for (const proto::ChainInfo& chain : *chains) {
      json["chains"].push_back(ChainRecordToJson(chain));
    }
    invocation.out << Dump(json) << '\n';
  } else if (chains->empty()) {
    invocation.out << "No chain is recorded; 'openhookctl grant IMAGE --chain' records one.\n";
  } else {
    invocation.out << RenderChains(*chains);
  }
  return {};
}

Result<Chains> ChosenChains(ControlClient* client, const std::string& disk) {
  Result<Chains> chains = AskChains(client);
  if (!chains || disk.empty()) {
    return chains;
  }
  std::erase_if(*chains, [&](const proto::ChainInfo& chain) { return chain.disk() != disk; });
  if (chains->empty()) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("no disk is called {}; 'openhookctl chain list' shows those that are "
                            "known",
                            Quote(disk)));
  }
  return chains;
}

bool SamePaths(const proto::ChainInfo& a, const proto::ChainInfo& b) {
  return a.SerializeAsString() == b.SerializeAsString();
}

// Each disk is compared with its own headers; a refusal does not keep the others from being looked
// at, and is the error of the whole command.
Result<void> RunFollow(const Invocation& invocation, const std::string& disk, Drifted drifted) {
  Result<ControlClient> client = ConnectToBroker(invocation);
  if (!client) {
    return tl::make_unexpected(std::move(client).error());
  }
  const Result<Chains> before = ChosenChains(&*client, disk);
  if (!before) {
    return tl::make_unexpected(before.error());
  }
  Result<void> verdict;
  for (const proto::ChainInfo& chain : *before) {
    const Result<proto::ChangeReply> followed = FollowHeaders(&*client, chain, drifted);
    if (!followed && verdict) {
      verdict = tl::make_unexpected(followed.error());
    } else if (!followed) {
      invocation.err << "openhookctl: " << followed.error().Message() << '\n';
    }
  }
  const Result<Chains> after = ChosenChains(&*client, disk);
  if (!after) {
    return tl::make_unexpected(after.error());
  }
  Json json;
  json["chains"] = Json::array();
  for (std::size_t i = 0; i < after->size() && i < before->size(); ++i) {
    const bool changed = !SamePaths((*before)[i], (*after)[i]);
    Json one = ChainRecordToJson((*after)[i]);
    one["changed"] = changed;
    json["chains"].push_back(std::move(one));
    if (!invocation.options.json) {
      invocation.out << fmt::format("{}: {}\n", Escape((*after)[i].disk()),
                                    changed ? "the record follows the headers now" : "as recorded");
    }
  }
  if (invocation.options.json && verdict) {
    invocation.out << Dump(json) << '\n';
  }
  return verdict;
}

}  // namespace

void AddChainRecordCommands(CLI::App* chain, const Invocation& invocation, Action* chosen) {
  CLI::App* list = chain->add_subcommand("list", "The chains of this VM's disks, as recorded");
  list->callback(
      [&invocation, chosen] { *chosen = [&invocation] { return RunChainList(invocation); }; });

  const auto disk = std::make_shared<std::string>();
  CLI::App* check = chain->add_subcommand(
      "check", "Compare the records with the images' headers, and follow what the policy lets");
  check->add_option("disk", *disk, "One disk; not given: all")->type_name("DISK");
  check->callback([&invocation, chosen, disk] {
    *chosen = [&invocation, disk] { return RunFollow(invocation, *disk, Drifted::kAskPolicy); };
  });

  CLI::App* accept = chain->add_subcommand(
      "accept", "Let the record of a disk follow its headers, whatever they say");
  accept->add_option("disk", *disk, "The disk")->required()->type_name("DISK");
  accept->callback([&invocation, chosen, disk] {
    *chosen = [&invocation, disk] { return RunFollow(invocation, *disk, Drifted::kAccept); };
  });
}

}  // namespace openhook::ctl
