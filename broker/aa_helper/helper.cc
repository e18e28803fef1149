// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/aa_helper/helper.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "broker/aa_helper/definition_rules.h"
#include "broker/aa_helper/holds.h"
#include "broker/aa_helper/valid_path.h"
#include "broker/base/limits.h"
#include "broker/base/text.h"
#include "broker/chain/read_chain.h"
#include "broker/fs/directory.h"
#include "broker/fs/program_file.h"
#include "broker/fs/text_file.h"
#include "broker/plan/planner_process.h"

namespace openhook::aa_helper {

namespace {

constexpr std::string_view kAllBelow = "/{,**}";
constexpr std::string_view kBadNameBytes = "/[]{}?^,\"*";
// As libvirt formats it.
constexpr std::string_view kContainer = "<domain type='lxc'";
constexpr std::size_t kListBytes = std::size_t{1} << 20;
// What libvirtd appends of its own directories, for a save, a dump, a picture of the screen.
constexpr const char* kForbidden = R"(default
allow /var/lib/libvirt/qemu/save/{name}.save
allow /var/lib/libvirt/qemu/save/{name}.save.new
allow /var/lib/libvirt/qemu/snapshot/{name}
allow /var/lib/libvirt/qemu/dump
allow /var/cache/libvirt/qemu
allow /run/libvirt/qemu
allow /dev/pts/[0-9]*
)";

bool IsKnown(const ctl::HostPlan& plan, const std::string& path) {
  return std::any_of(plan.grants.begin(), plan.grants.end(),
                     [&](const ctl::PlannedGrant& grant) { return grant.path == path; });
}

// Is `below` the backing file of `above` by the definition?
bool StandsOnInPlan(const ctl::HostPlan& plan, const std::string& above, const std::string& below) {
  return std::any_of(plan.grants.begin(), plan.grants.end(), [&](const ctl::PlannedGrant& upper) {
    return upper.path == above &&
           std::any_of(plan.grants.begin(), plan.grants.end(), [&](const ctl::PlannedGrant& lower) {
             return lower.path == below && lower.source == upper.source &&
                    lower.depth == upper.depth + 1;
           });
  });
}

// The same by the header of an image that no definition has yet. A guest may have written what is
// read here, and so can make its own new disk read-only at most.
bool StandsOnByHeader(const std::string& above, const std::string& below) {
  const auto read = chain::ReadChainOf(above, "");
  return read && std::any_of(read->chain.members.begin(), read->chain.members.end(),
                             [&](const image::ChainMember& member) {
                               return member.depth == 1 && member.path.str() == below;
                             });
}

// libvirt appends an image and then, one by one, what lies below it.
Reason ReasonFor(const VmRules& before, const ctl::HostPlan& plan, const Rule& rule, bool known) {
  if (before.appended.empty() || rule.IsPattern()) {
    return Reason::kItself;
  }
  const Appended& last = before.appended.back();
  if (last.known != known || last.rule.IsPattern()) {
    return Reason::kItself;
  }
  const bool below = known ? StandsOnInPlan(plan, last.rule.path, rule.path)
                           : StandsOnByHeader(last.rule.path, rule.path);
  return below ? Reason::kThroughChain : Reason::kItself;
}

Result<VmRules> RulesBefore(const ProfileFiles& files, bool* ours) {
  const auto text = files.ReadRules();
  if (!text) {
    return tl::make_unexpected(text.error());
  }
  *ours = false;
  if (!*text) {
    return VmRules();
  }
  auto rules = Parse(**text);
  *ours = rules.has_value();
  return rules ? std::move(*rules) : ParseForeign(**text);
}

}  // namespace

Helper::Helper(Options options, const Places& places, std::ostream& told)
    : options_(std::move(options)),
      places_(places),
      files_(places.apparmor_dir, options_.uuid),
      told_(told) {}

void Helper::Warn(const std::string& sentence) {
  told_ << "virt-aa-helper: warning: " << OneLine(sentence) << '\n';
}

Result<void> Helper::Run() {
  switch (options_.mode) {
    case Mode::kHelp:
      told_ << HelpText();
      return {};
    case Mode::kAdd:
      return Load();
    case Mode::kDelete:
    case Mode::kRemove:
      return Unload();
    case Mode::kCreate:
    case Mode::kReplace:
      break;
  }
  return Change();
}

Result<void> Helper::Load() {
  if (!files_.HasProfile()) {
    return Fail(ErrorCode::kNotFound, "profile does not exist");
  }
  if (options_.run == Run::kDry) {
    return {};
  }
  bool ours = false;
  return RulesBefore(files_, &ours).and_then([this](const VmRules& rules) {
    return files_.Load(rules);
  });
}

Result<void> Helper::Unload() {
  if (!files_.HasProfile()) {
    return Fail(ErrorCode::kNotFound, "profile does not exist");
  }
  if (options_.run == Run::kDry) {
    return {};
  }
  const auto lock = fs::LockInTurn(files_.LockPath());
  if (!lock) {
    return tl::make_unexpected(lock.error());
  }
  auto broker = BrokerLeases::Connect(places_.run_dir, options_.uuid);
  if (!broker) {
    return tl::make_unexpected(broker.error());
  }
  // A profile that a broker keeps stays: the machine may start again at any time.
  const bool kept = *broker && (*broker)->keeps_profile();
  if (options_.mode == Mode::kRemove) {
    return kept ? Result<void>() : files_.Unload();
  }
  if (*broker) {
    if (auto ended = (*broker)->Set(std::vector<proto::GrantSpec>(), {}); !ended) {
      return ended;
    }
  }
  const auto unloaded = kept ? Result<void>() : files_.Unload();
  return unloaded.and_then([this] { return files_.RemoveRules(); });
}

Result<void> Helper::Change() {
  auto machine = ReadDefinition();
  if (!machine) {
    return tl::make_unexpected(machine.error());
  }
  const auto extra = ExtraRule(*machine);
  if (!extra) {
    return tl::make_unexpected(extra.error());
  }
  if (options_.run == Run::kDry) {
    return Show(*machine, *extra);
  }
  const auto lock = fs::LockInTurn(files_.LockPath());
  if (!lock) {
    return tl::make_unexpected(lock.error());
  }
  const auto next = NextRules(&*machine, *extra);
  if (!next) {
    return tl::make_unexpected(next.error());
  }
  return Apply(*machine, *next);
}

Result<Helper::Machine> Helper::ReadDefinition() {
  const auto xml = fs::ReadStandardInput(limits::kMaxDomainXml);
  const auto program = fs::FindProgramBeside("openhook-plan", OPENHOOK_PROGRAM_DIRECTORY);
  const auto forbidden = Forbidden();
  if (!xml || !program || !forbidden) {
    return tl::make_unexpected((!xml       ? xml.error()
                                : !program ? program.error()
                                           : forbidden.error()));
  }
  if (xml->starts_with(kContainer)) {
    return Fail(ErrorCode::kUnsupported,
                "containers are confined by libvirt's own helper; put it back with "
                "'divert-aa-helper restore'");
  }
  auto plan = plan::RunPlanner({.program = *program}, *xml);
  if (!plan) {
    return Fail(plan.error().code, "could not get VM definition: " + plan.error().Message());
  }
  if (auto checked = CheckMachine(*plan); !checked) {
    return tl::make_unexpected(checked.error());
  }
  ctl::HostPlan on_host = ctl::PlanOnHost(*plan, *forbidden);
  for (const std::string& sentence : TakeUnreadableAsSpelled(*plan, *forbidden, &on_host)) {
    Warn(sentence);
  }
  return Machine{std::move(*plan), std::move(on_host)};
}

Result<void> Helper::CheckMachine(const domain::Plan& plan) const {
  if (plan.uuid != options_.uuid) {
    return Fail(ErrorCode::kInvalidArgument,
                "given uuid does not match XML uuid; invalid VM definition");
  }
  if (plan.name.empty() || plan.name.find_first_of(kBadNameBytes) != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument,
                "bad name " + Quote(plan.name) + "; invalid VM definition");
  }
  return {};
}

Result<domain::ForbiddenPaths> Helper::Forbidden() const {
  const auto text = fs::ReadTextFile(places_.forbidden, kListBytes);
  if (!text && text.error().code != ErrorCode::kNotFound) {
    return tl::make_unexpected(text.error());
  }
  return domain::ForbiddenPaths::Parse(text ? *text : kForbidden);
}

Result<std::vector<Rule>> Helper::DefinitionRules(const Machine& machine) const {
  auto rules = RulesOfPlan(machine.on_host);
  if (!rules) {
    return rules;
  }
  std::vector<Rule> all = RulesOfEveryMachine(machine.plan.name, machine.plan.short_name);
  for (const Rule& rule : *rules) {
    AddTo(&all, rule);
  }
  return all;
}

Result<std::optional<Rule>> Helper::ExtraRule(const Machine& machine) {
  if (options_.extra == Extra::kNone) {
    return std::nullopt;
  }
  std::string path = options_.file;
  // Of a directory of libvirt's own. A name may look like that, and is a file's then: whoever may
  // name his images would get his neighbours' with it.
  const bool below = path.ends_with(kAllBelow) && !fs::FileExists(path).value_or(true);
  if (below) {
    path.erase(path.size() - kAllBelow.size());
  }
  if (!path.starts_with('/')) {
    Warn(Escape(options_.file) + ": skipped non-absolute path");
    return std::nullopt;
  }
  domain::Plan alone{
      .uuid = machine.plan.uuid, .name = machine.plan.name, .short_name = machine.plan.short_name};
  alone.files.push_back({.path = path,
                         .access = domain::Access::kReadWrite,
                         .kind = below ? domain::Kind::kDirectory : domain::Kind::kFile,
                         .source = "file"});
  const auto forbidden = Forbidden();
  if (!forbidden) {
    return tl::make_unexpected(forbidden.error());
  }
  const ctl::HostPlan plan = ctl::PlanOnHost(alone, *forbidden);
  if (const auto rules = RulesOfPlan(plan); !rules || plan.grants.empty()) {
    return tl::make_unexpected(rules ? Error{ErrorCode::kPermission, 0, Escape(path) + ": refused"}
                                     : rules.error());
  }
  const std::string& real = plan.grants.front().path;
  return below ? Rule{real, std::string(kAllBelow), "rwk"} : Rule{real, "", "rwk"};
}

Result<Helper::Next> Helper::NextRules(Machine* machine, const std::optional<Rule>& extra) const {
  Next next;
  bool ours = false;
  const auto before = RulesBefore(files_, &ours);
  if (!before) {
    return tl::make_unexpected(before.error());
  }
  next.of_definition = options_.extra != Extra::kAppended || !ours;
  next.rules = *before;
  if (next.of_definition) {
    const auto holds = Holds::Look(files_.profile());
    if (!holds) {
      return tl::make_unexpected(holds.error());
    }
    const Moment moment{[&](const std::string& path) { return holds->Of(path); },
                        std::time(nullptr)};
    LeaveOutFinishedSides(moment, &machine->on_host);
    auto definition = DefinitionRules(*machine);
    if (!definition) {
      return tl::make_unexpected(definition.error());
    }
    next.rules = Regenerate(*before, std::move(*definition), moment);
  }
  if (extra) {
    const bool known = IsKnown(machine->on_host, extra->path);
    const Reason reason = ReasonFor(*before, machine->on_host, *extra, known);
    next.rules = Append(std::move(next.rules), *extra, known, reason);
  }
  return next;
}

Result<void> Helper::Show(const Machine& machine, const std::optional<Rule>& extra) {
  std::vector<Rule> rules;
  if (options_.extra != Extra::kAppended) {
    auto definition = DefinitionRules(machine);
    if (!definition) {
      return tl::make_unexpected(definition.error());
    }
    rules = std::move(*definition);
  }
  if (extra) {
    AddTo(&rules, *extra);
  }
  const auto show = [this](const std::string& text) {
    told_ << "virt-aa-helper:\n" << text << '\n';
  };
  show(files_.RulesPath());
  std::string text;
  for (const Rule& rule : rules) {
    text += "  \"" + rule.Shown() + "\" " + rule.perms + ",\n";
  }
  show(text);
  if (options_.mode == Mode::kCreate) {
    show(files_.ProfilePath());
    show(files_.profile());
    show("  #include <libvirt/" + files_.profile() + ".files>\n");
  }
  return {};
}

Result<void> Helper::Apply(const Machine& machine, const Next& next) {
  auto broker = BrokerLeases::Connect(places_.run_dir, options_.uuid);
  if (!broker) {
    return tl::make_unexpected(broker.error());
  }
  if (*broker) {
    const auto domain = next.of_definition ? std::optional(DomainGrants(machine.on_host))
                                           : std::optional<std::vector<proto::GrantSpec>>();
    const auto set = (*broker)->Set(domain, AppendedLeases(next.rules.appended));
    if (!set || (*broker)->keeps_profile()) {
      return set.and_then([&] { return files_.WriteRules(Render(next.rules)); });
    }
  }
  return ApplyToFiles(next);
}

Result<void> Helper::ApplyToFiles(const Next& next) const {
  const bool had_profile = files_.HasProfile();
  if (had_profile && options_.mode == Mode::kCreate) {
    return Fail(ErrorCode::kConflict, "profile exists");
  }
  const auto before = files_.ReadRules();
  if (!before) {
    return tl::make_unexpected(before.error());
  }
  auto done = files_.WriteRules(Render(next.rules));
  if (done && !had_profile) {
    done = files_.MakeProfile();
  }
  if (done) {
    done = files_.Load(next.rules);
  }
  if (!done) {
    (void)files_.PutBack(*before);
    if (!had_profile) {
      (void)fs::RemoveFile(files_.ProfilePath());
    }
  }
  return done;
}

}  // namespace openhook::aa_helper
