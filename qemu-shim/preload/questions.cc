// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/preload/questions.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "qemu-shim/client/stat_reply.h"
#include "qemu-shim/preload/ask.h"
#include "qemu-shim/preload/umask.h"

namespace openhook::preload {

namespace {

using client::Answer;
using client::Verdict;

// The path, and the working directory where it is needed.
class AskedName {
 public:
  explicit AskedName(const char* path) : path_(path) {}

  // False, with errno, when there is no working directory.
  bool LookUp() {
    if (path_[0] == '/') {
      return true;
    }
    // The system call, not getcwd(3): that one walks upward by opening directories when it fails.
    const long size = ::syscall(SYS_getcwd, cwd_, sizeof(cwd_));
    cwd_size_ = size > 0 ? static_cast<std::size_t>(size - 1) : 0;
    return size > 0;
  }
  [[nodiscard]] client::Name Get() const { return {path_, {cwd_, cwd_size_}}; }

 private:
  const char* path_;
  std::size_t cwd_size_ = 0;
  char cwd_[PATH_MAX];
};

// The caller has checked the length of the path, so what does not fit has changed since then.
Asked TooLong() {
  errno = ENAMETOOLONG;
  return {};
}

void ReportRefusal(std::string_view what, const char* path, std::string_view purpose,
                   const Answer& answer) {
  client::Line line;
  client::AddRefusal(what, path, purpose, answer, BrokerEndpoint(), &line);
  line.Print();
}

// The part of an answer that all questions share.
Asked Conclude(const Answer& answer) {
  if (answer.verdict == Verdict::kNotMine) {
    return {Asked::Kind::kNotMine, -1};
  }
  if (answer.verdict == Verdict::kOk) {
    return {Asked::Kind::kDone, 0};
  }
  errno = answer.sys_errno;
  return {Asked::Kind::kRefused, -1};
}

// For the questions that are probes: their denials are silent.
Asked AskProbe(std::string_view what, const char* path, openhook_proto_Request* request,
               Answer* answer) {
  Ask(request, answer);
  if (client::DeservesALine(answer->verdict, Voice::kQuiet)) {
    ReportRefusal(what, path, "", *answer);
  }
  return Conclude(*answer);
}

}  // namespace

Asked AskOpen(const char* path, int flags, mode_t mode, Voice voice) {
  AskedName name(path);
  if (!name.LookUp()) {
    return {};
  }
  const client::OpenIntent intent = client::IntentOf(flags);
  openhook_proto_Request request;
  if (!client::FillOpen(name.Get(), intent, intent.create ? CutByUmask(mode) : 0,
                        intent.create ? client::RandomToken() : 0, &request)) {
    return TooLong();
  }
  Answer answer;
  Ask(&request, &answer);
  if (answer.verdict == Verdict::kOk && !answer.descriptor.IsValid()) {
    answer.verdict = Verdict::kDescriptorLost;
    answer.sys_errno = EACCES;
  }
  if (client::DeservesALine(answer.verdict, voice)) {
    ReportRefusal("open", path, client::Describe(intent.access), answer);
  }
  Asked asked = Conclude(answer);
  if (asked.kind != Asked::Kind::kDone) {
    return asked;
  }
  if (!intent.close_on_exec) {
    ::fcntl(answer.descriptor.Get(), F_SETFD, 0);
  }
  asked.value = answer.descriptor.Release();
  return asked;
}

Asked AskStat(const char* path, Links links, struct stat* result) {
  AskedName name(path);
  if (!name.LookUp()) {
    return {};
  }
  openhook_proto_Request request;
  if (!client::FillStat(name.Get(), links, &request)) {
    return TooLong();
  }
  Answer answer;
  const Asked asked = AskProbe("stat", path, &request, &answer);
  if (asked.kind != Asked::Kind::kDone) {
    return asked;
  }
  if (answer.reply.which_body != openhook_proto_Reply_stat_tag) {
    errno = EIO;  // yes, but without what was asked for
    return {};
  }
  client::CopyStat(answer.reply.body.stat, result);
  return asked;
}

Asked AskAccess(const char* path, int mode) {
  AskedName name(path);
  if (!name.LookUp()) {
    return {};
  }
  openhook_proto_Request request;
  if (!client::FillAccess(name.Get(), mode, &request)) {
    return TooLong();
  }
  Answer answer;
  return AskProbe("access", path, &request, &answer);
}

Asked AskUnlink(const char* path) {
  AskedName name(path);
  if (!name.LookUp()) {
    return {};
  }
  openhook_proto_Request request;
  if (!client::FillUnlink(name.Get(), &request)) {
    return TooLong();
  }
  Answer answer;
  return AskProbe("unlink", path, &request, &answer);
}

}  // namespace openhook::preload
