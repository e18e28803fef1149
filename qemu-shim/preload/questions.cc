// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/preload/questions.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "qemu-shim/preload/ask.h"
#include "qemu-shim/preload/intent.h"
#include "qemu-shim/preload/process_state.h"
#include "qemu-shim/preload/report.h"
#include "qemu-shim/preload/umask.h"

namespace openhook::preload {

namespace {

// Path, and working directory where it is needed. The caller has checked both (paths.h), so what
// does not fit here has changed since then.
template <class Body>
bool SetPath(const char* path, Body* body) {
  const std::size_t length = std::strlen(path);
  if (length >= sizeof(body->path.bytes)) {
    errno = ENAMETOOLONG;
    return false;
  }
  std::memcpy(body->path.bytes, path, length);
  body->path.size = static_cast<pb_size_t>(length);
  body->cwd.size = 0;
  if (path[0] == '/') {
    return true;
  }
  // The system call, not getcwd(3): that one walks upward by opening directories when it fails.
  const long size = ::syscall(SYS_getcwd, body->cwd.bytes, sizeof(body->cwd.bytes));
  if (size <= 0) {
    return false;
  }
  body->cwd.size = static_cast<pb_size_t>(size - 1);
  return true;
}

// The same when the request is repeated, so that the broker knows a file that it has just made.
std::uint64_t RandomToken() {
  std::uint64_t token = 0;
  while (::getrandom(&token, sizeof(token), 0) < 0 && errno == EINTR) {
  }
  return token;
}

openhook_proto_Access ToWire(IntendedAccess access) {
  switch (access) {
    case IntendedAccess::kRead:
      return openhook_proto_Access_ACCESS_READ;
    case IntendedAccess::kWrite:
      return openhook_proto_Access_ACCESS_WRITE;
    case IntendedAccess::kReadWrite:
      return openhook_proto_Access_ACCESS_READ_WRITE;
    case IntendedAccess::kNone:
      break;
  }
  return openhook_proto_Access_ACCESS_UNSPECIFIED;
}

void SetIntent(const OpenIntent& intent, mode_t mode, openhook_proto_OpenRequest* open) {
  open->access = ToWire(intent.access);
  open->direct = intent.direct;
  open->sync = intent.sync;
  open->data_sync = intent.data_sync;
  open->append = intent.append;
  open->truncate = intent.truncate;
  open->create = intent.create;
  open->exclusive = intent.exclusive;
  open->nonblock = intent.nonblock;
  open->no_follow = intent.no_follow;
  open->other_flags = intent.other_flags;
  open->mode = intent.create ? CutByUmask(mode) : 0;
  open->token = intent.create ? RandomToken() : 0;
}

void ReportLostDescriptor(Line* line, int sys_errno) {
  line->Add(
      "the broker sent the descriptor and the kernel dropped it: a security module or a full "
      "descriptor table; ");
  if (sys_errno == EMFILE) {
    line->Add("the table is full: raise the limit of open files (RLIMIT_NOFILE)");
  } else {
    line->Add(
        "look in the kernel or audit log for operation=\"file_receive\" (AppArmor) or 'avc: "
        "denied' with tclass=file or tclass=fd (SELinux)");
  }
}

void ReportRefusal(std::string_view what, const char* path, std::string_view purpose,
                   const Answer& answer) {
  Line line;
  line.Add(what).Add(" ").AddQuoted(path);
  if (!purpose.empty()) {
    line.Add(" for ").Add(purpose);
  }
  line.Add(": ");
  switch (answer.verdict) {
    case Verdict::kDescriptorLost:
      ReportLostDescriptor(&line, answer.sys_errno);
      break;
    case Verdict::kUnreachable:
      line.Add("no answer from the broker at ").AddQuoted(ProcessSettings().socket);
      line.Add(" within ").AddNumber(ProcessSettings().wait_ms);
      line.Add(" ms; check that openhookd runs for this VM and that its open.sock is reachable");
      break;
    default:
      line.Add("refused: ");
      line.Add(answer.reply.reason[0] != '\0' ? answer.reply.reason : "the broker gave no reason");
  }
  line.Print();
}

bool DeservesALine(Verdict verdict, Voice voice) {
  return verdict == Verdict::kDescriptorLost || verdict == Verdict::kUnreachable ||
         (verdict == Verdict::kDenied && voice == Voice::kAloud);
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
  if (DeservesALine(answer->verdict, Voice::kQuiet)) {
    ReportRefusal(what, path, "", *answer);
  }
  return Conclude(*answer);
}

timespec ToTime(std::int64_t seconds, std::uint32_t nanoseconds) {
  return {static_cast<time_t>(seconds), static_cast<long>(nanoseconds)};
}

void CopyStat(const openhook_proto_StatReply& from, struct stat* to) {
  std::memset(to, 0, sizeof(*to));
  to->st_dev = from.dev;
  to->st_ino = from.ino;
  to->st_mode = from.mode;
  to->st_nlink = from.nlink;
  to->st_uid = from.uid;
  to->st_gid = from.gid;
  to->st_rdev = from.rdev;
  to->st_size = from.size;
  to->st_blksize = static_cast<blksize_t>(from.blksize);
  to->st_blocks = from.blocks;
  to->st_atim = ToTime(from.atime_sec, from.atime_nsec);
  to->st_mtim = ToTime(from.mtime_sec, from.mtime_nsec);
  to->st_ctim = ToTime(from.ctime_sec, from.ctime_nsec);
}

}  // namespace

Asked AskOpen(const char* path, int flags, mode_t mode, Voice voice) {
  openhook_proto_Request request;
  request.which_body = openhook_proto_Request_open_tag;
  openhook_proto_OpenRequest* open = &request.body.open;
  if (!SetPath(path, open)) {
    return {};
  }
  const OpenIntent intent = IntentOf(flags);
  SetIntent(intent, mode, open);

  Answer answer;
  Ask(&request, &answer);
  if (answer.verdict == Verdict::kOk && !answer.descriptor.IsValid()) {
    answer.verdict = Verdict::kDescriptorLost;
    answer.sys_errno = EACCES;
  }
  if (DeservesALine(answer.verdict, voice)) {
    ReportRefusal("open", path, Describe(intent.access), answer);
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
  openhook_proto_Request request;
  request.which_body = openhook_proto_Request_stat_tag;
  if (!SetPath(path, &request.body.stat)) {
    return {};
  }
  request.body.stat.no_follow = links == Links::kDoNotFollow;
  Answer answer;
  const Asked asked = AskProbe("stat", path, &request, &answer);
  if (asked.kind != Asked::Kind::kDone) {
    return asked;
  }
  if (answer.reply.which_body != openhook_proto_Reply_stat_tag) {
    errno = EIO;  // yes, but without what was asked for
    return {};
  }
  CopyStat(answer.reply.body.stat, result);
  return asked;
}

Asked AskAccess(const char* path, int mode) {
  openhook_proto_Request request;
  request.which_body = openhook_proto_Request_access_tag;
  if (!SetPath(path, &request.body.access)) {
    return {};
  }
  request.body.access.read = (mode & R_OK) != 0;
  request.body.access.write = (mode & W_OK) != 0;
  request.body.access.execute = (mode & X_OK) != 0;
  Answer answer;
  return AskProbe("access", path, &request, &answer);
}

Asked AskUnlink(const char* path) {
  openhook_proto_Request request;
  request.which_body = openhook_proto_Request_unlink_tag;
  if (!SetPath(path, &request.body.unlink)) {
    return {};
  }
  Answer answer;
  return AskProbe("unlink", path, &request, &answer);
}

}  // namespace openhook::preload
