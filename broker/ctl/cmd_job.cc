// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhookctl job: what QEMU needs for one operation, given when it begins and taken back when it
// ends.

#include <fmt/format.h>

#include <ctime>
#include <memory>
#include <ostream>

#include "broker/base/text.h"
#include "broker/chain/chain_grants.h"
#include "broker/client/socket_owner.h"
#include "broker/ctl/commands.h"
#include "broker/ctl/job_targets.h"
#include "broker/ctl/json_output.h"
#include "broker/ctl/render.h"
#include "broker/ctl/table.h"
#include "broker/ctl/validators.h"
#include "broker/ctl/words.h"

namespace openhook::ctl {

namespace {

struct BeginOptions {
  std::string kind;
  std::string disk;
  std::string id;
  std::string lease;
  std::string top;
  std::string base;
  JobTarget target;
  bool write = false;
  bool shallow = false;
  std::string owner;
  int owner_pid = 0;
};

struct EndOptions {
  std::string id;
  bool completed = false;
  bool pivoted = false;
  bool aborted = false;
};

Result<proto::JobReply> AskForJob(const Invocation& invocation, proto::ControlRequest request) {
  const Result<proto::ControlReply> reply = AskBroker(invocation, std::move(request));
  if (!reply) {
    Error error = reply.error();
    if (error.code == ErrorCode::kUnavailable) {
      error.context += "; whether it took effect is not known: repeat it, that does no harm";
    }
    return tl::make_unexpected(std::move(error));
  }
  if (!reply->has_job()) {
    return Fail(ErrorCode::kCorrupt, "the broker's answer says nothing of the job");
  }
  return reply->job();
}

void Show(const Invocation& invocation, const proto::JobReply& reply) {
  if (invocation.options.json) {
    invocation.out << Dump(JobReplyToJson(reply)) << '\n';
    return;
  }
  const proto::JobInfo& job = reply.job();
  invocation.out << fmt::format("Job {}: {}, {}.\n", Escape(job.id()), JobKindWord(job.kind()),
                                JobStateWord(job.state()));
  if (!reply.change().grants().empty()) {
    invocation.out << "Given now:\n" << RenderGrants(reply.change().grants());
  }
  if (!reply.change().still_held().empty()) {
    invocation.out << "Over, and readable until the VM closes them:\n"
                   << RenderGrants(reply.change().still_held());
  }
}

Result<void> RunBegin(const Invocation& invocation, const BeginOptions& options) {
  proto::ControlRequest request;
  proto::JobBeginRequest* begin = request.mutable_job_begin();
  begin->set_kind(ParseJobKind(options.kind));
  begin->set_disk(options.disk);
  begin->set_id(options.id);
  begin->set_lease(options.lease);
  begin->set_top(options.top);
  begin->set_base(options.base);
  begin->set_write(options.write);
  begin->set_shallow(options.shallow);
  begin->set_owner(options.owner.empty() ? "admin:" + client::CallerName() : options.owner);
  begin->set_owner_pid(options.owner_pid);
  if (!options.target.path.empty()) {
    JobTarget target = options.target;
    target.kind = begin->kind();
    target.write = options.write;
    const Result<proto::GrantRequest> grants = GrantsOfTarget(target, invocation.err);
    if (!grants) {
      return tl::make_unexpected(grants.error());
    }
    *begin->mutable_targets() = grants->grants();
  }
  const Result<proto::JobReply> reply = AskForJob(invocation, std::move(request));
  if (!reply) {
    return tl::make_unexpected(reply.error());
  }
  Show(invocation, *reply);
  return {};
}

Result<void> RunEnd(const Invocation& invocation, const EndOptions& options) {
  proto::ControlRequest request;
  request.mutable_job_end()->set_id(options.id);
  request.mutable_job_end()->set_outcome(options.aborted   ? proto::JOB_STATE_ABORTED
                                         : options.pivoted ? proto::JOB_STATE_PIVOTED
                                                           : proto::JOB_STATE_COMPLETED);
  const Result<proto::JobReply> reply = AskForJob(invocation, std::move(request));
  if (!reply) {
    return tl::make_unexpected(reply.error());
  }
  Show(invocation, *reply);
  return {};
}

std::string Age(const proto::JobInfo& job) {
  const std::int64_t until = job.ended_unix() != 0 ? job.ended_unix() : ::time(nullptr);
  const std::int64_t seconds = std::max<std::int64_t>(until - job.started_unix(), 0);
  constexpr std::int64_t kMinute = 60;
  constexpr std::int64_t kHour = 60 * kMinute;
  return seconds >= kHour ? fmt::format("{}h{:02}m", seconds / kHour, seconds % kHour / kMinute)
                          : fmt::format("{}m{:02}s", seconds / kMinute, seconds % kMinute);
}

std::string OwnerOf(const proto::JobInfo& job) {
  std::string owner = job.owner();
  if (job.owner_pid() != 0) {
    owner += fmt::format(" (pid {})", job.owner_pid());
  }
  return owner + (job.owner_state() == proto::JOB_OWNER_STATE_GONE ? " GONE" : "");
}

std::string RenderJobs(const std::vector<proto::JobInfo>& jobs) {
  Table table(
      {{"ID"}, {"KIND"}, {"STATE"}, {"AGE", Align::kRight}, {"OWNER"}, {"DISK"}, {"FILES"}});
  bool gone = false;
  for (const proto::JobInfo& job : jobs) {
    const std::string files = !job.targets().empty() ? job.targets(0) : job.base();
    table.AddRow({job.id(), std::string(JobKindWord(job.kind())),
                  std::string(JobStateWord(job.state())), Age(job), OwnerOf(job), job.disk(),
                  files});
    gone = gone || job.owner_state() == proto::JOB_OWNER_STATE_GONE;
  }
  return table.Render() + (gone ? "The process that answered for a job marked GONE has ended. Look "
                                  "at what became of its operation, and end the job: openhookctl "
                                  "job end ID --completed | --pivoted | --aborted\n"
                                : "");
}

Result<std::vector<proto::JobInfo>> AskJobs(ControlClient* client, bool all) {
  std::vector<proto::JobInfo> jobs;
  bool more = true;
  while (more) {
    proto::ControlRequest request;
    request.mutable_job_list()->set_all(all);
    request.mutable_job_list()->set_after_id(jobs.empty() ? "" : jobs.back().id());
    const Result<proto::ControlReply> reply = client->Call(std::move(request));
    if (!reply) {
      return tl::make_unexpected(reply.error());
    }
    more = reply->job_list().more();
    if (!reply->has_job_list() || (more && reply->job_list().jobs().empty())) {
      return Fail(ErrorCode::kCorrupt, "the broker's list of jobs does not go on");
    }
    jobs.insert(jobs.end(), reply->job_list().jobs().begin(), reply->job_list().jobs().end());
  }
  return jobs;
}

Result<void> RunList(const Invocation& invocation, bool all) {
  Result<ControlClient> client = ConnectToBroker(invocation);
  if (!client) {
    return tl::make_unexpected(std::move(client).error());
  }
  const auto jobs = AskJobs(&*client, all);
  if (!jobs) {
    return tl::make_unexpected(jobs.error());
  }
  if (invocation.options.json) {
    Json json;
    json["jobs"] = Json::array();
    for (const proto::JobInfo& job : *jobs) {
      json["jobs"].push_back(JobToJson(job));
    }
    invocation.out << Dump(json) << '\n';
  } else if (jobs->empty()) {
    invocation.out << "No job is running.\n";
  } else {
    invocation.out << RenderJobs(*jobs);
  }
  return {};
}

CLI::Validator KindValidator() {
  return {[](std::string& text) {
            return ParseJobKind(text) != proto::JOB_KIND_UNSPECIFIED
                       ? std::string()
                       : fmt::format("{} is no kind of job; there are {}", Quote(text),
                                     JobKindWords());
          },
          ""};
}

void AddBegin(CLI::App* job, const Invocation& invocation, Action* chosen) {
  CLI::App* begin = job->add_subcommand("begin", "Give QEMU what one operation needs");
  const auto options = std::make_shared<BeginOptions>();
  begin->add_option("kind", options->kind, "One of: " + JobKindWords())
      ->required()
      ->check(KindValidator())
      ->type_name("KIND");
  begin
      ->add_option("disk", options->disk,
                   "The disk, by its name or by an image of its chain; attach: its new name")
      ->type_name("DISK");
  begin->add_option("--id", options->id, "Name of the job; not given: chosen, as in commit-1");
  begin
      ->add_option("--top", options->top,
                   "commit, stream: the image at whose place it works; reopen: the image; not "
                   "given: the active one")
      ->check(AbsolutePathValidator())
      ->type_name("PATH");
  begin
      ->add_option("--base", options->base,
                   "commit: the image that is written to; stream: the "
                   "first that stays below")
      ->check(AbsolutePathValidator())
      ->type_name("PATH");
  begin
      ->add_option("--target", options->target.path,
                   "The new image, medium, disk or state file; QEMU may make it")
      ->check(AbsolutePathValidator())
      ->type_name("PATH");
  begin->add_option("--format", options->target.format, "Format of the target")
      ->type_name("FORMAT");
  begin->add_flag("--existing", options->target.existing,
                  "The target is there already: it is not made, and not emptied");
  begin->add_flag("--write", options->write,
                  "reopen: for writing; change, attach: the VM writes to the target");
  begin->add_flag("--shallow", options->shallow,
                  "mirror: the target stands on the backing files of the disk");
  begin->add_option("--lease", options->lease, "attach: owner of the disk; not given: device:DISK")
      ->check(LeaseNameValidator())
      ->type_name("LEASE");
  begin->add_option("--owner", options->owner, "Who does it, for people; not given: admin:YOU")
      ->check(LeaseNameValidator());
  begin
      ->add_option("--owner-pid", options->owner_pid,
                   "A process that answers for the job; when it has ended, 'job list' says so")
      ->check(CLI::PositiveNumber)
      ->type_name("PID");
  begin->footer(
      "Examples: openhookctl job begin commit vda --base /srv/images/base.qcow2\n"
      "          openhookctl job begin snapshot vda --target /srv/images/s1.qcow2 --format qcow2\n"
      "          openhookctl job begin change cd0 --target /srv/iso/b.iso --format raw");
  begin->callback([&invocation, chosen, options] {
    *chosen = [&invocation, options] { return RunBegin(invocation, *options); };
  });
}

void AddEnd(CLI::App* job, const Invocation& invocation, Action* chosen) {
  CLI::App* end = job->add_subcommand("end", "Take back what a job was given");
  const auto options = std::make_shared<EndOptions>();
  end->add_option("id", options->id, "The job")->required()->type_name("ID");
  CLI::Option_group* outcome = end->add_option_group("outcome", "How it has ended");
  outcome->add_flag("--completed", options->completed, "It has done what it was for");
  outcome->add_flag("--pivoted", options->pivoted,
                    "commit, mirror: the disk is the base, or the target, now");
  outcome->add_flag("--aborted", options->aborted, "Nothing has changed");
  outcome->require_option(1);
  end->footer("Example: openhookctl job end commit-1 --pivoted");
  end->callback([&invocation, chosen, options] {
    *chosen = [&invocation, options] { return RunEnd(invocation, *options); };
  });
}

}  // namespace

void AddJobCommand(CLI::App* app, const Invocation& invocation, Action* chosen) {
  CLI::App* job = app->add_subcommand("job", "Operations of QEMU on the VM's files");
  job->require_subcommand(1);
  AddBegin(job, invocation, chosen);
  AddEnd(job, invocation, chosen);
  CLI::App* list = job->add_subcommand("list", "Jobs with their age and owner");
  const auto all = std::make_shared<bool>(false);
  list->add_flag("--all", *all, "Ended ones too, as far as they are remembered");
  list->callback([&invocation, chosen, all] {
    *chosen = [&invocation, all] { return RunList(invocation, *all); };
  });
}

}  // namespace openhook::ctl
