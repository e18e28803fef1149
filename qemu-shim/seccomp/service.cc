// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The order of each answer: read, ask whether the call still waits, act. And the rule of
// seccomp_unotify(2): Continue() only ever means "with your own rights". What the broker allows is
// delivered as a descriptor or as a result, made from the very string that was decided about, so
// that a program that changes the string afterwards gains nothing.

#include "qemu-shim/seccomp/service.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "qemu-shim/client/intent.h"
#include "qemu-shim/client/report.h"
#include "qemu-shim/client/stat_reply.h"
#include "qemu-shim/seccomp/native_guess.h"

namespace openhook::seccomp {

namespace {

using client::Answer;
using client::Route;
using client::Verdict;
using client::Voice;
using Kind = Call::Kind;

// A call that killed so many notifiers gets an error instead of one more.
constexpr std::uint32_t kMaxAttempts = 3;

bool IsWriting(const client::OpenIntent& intent) {
  return intent.access == client::IntendedAccess::kWrite ||
         intent.access == client::IntendedAccess::kReadWrite || intent.create || intent.truncate;
}

WantedUse UseOf(const Call& call) {
  switch (call.kind) {
    case Kind::kOpen:
      return IsWriting(client::IntentOf(call.flags)) ? WantedUse::kWrite : WantedUse::kRead;
    case Kind::kAccess:
      return (call.mode & W_OK) != 0   ? WantedUse::kWrite
             : (call.mode & R_OK) != 0 ? WantedUse::kRead
                                       : WantedUse::kExistence;
    case Kind::kReadlink:
      return WantedUse::kLink;
    default:
      return WantedUse::kExistence;
  }
}

// By its spelling: "/", "x/", ".", "x/..". The broker gives none, and libc opens "." by itself.
bool NamesADirectory(std::string_view path) {
  const std::string_view last = path.substr(path.rfind('/') + 1);
  return last.empty() || last == "." || last == "..";
}

}  // namespace

void Service::Serve(InFlightCall* in_flight) {
  const seccomp_notif& notification = in_flight->notification.known;
  if (++in_flight->attempts > kMaxAttempts) {
    return listener_.Refuse(notification.id, EIO);
  }
  const auto call = DecodeCall(notification.data);
  // Thread 0: in a process namespace that cannot be seen from here.
  if (!call || notification.pid == 0) {
    return listener_.Continue(notification.id);
  }
  Question question{*call, Target(static_cast<pid_t>(notification.pid)), notification.id,
                    &in_flight->token};
  // The kernel says what is wrong with a path that cannot be read, and opens directories.
  if (!ReadQuestion(&question)) {
    return listener_.Continue(question.id);
  }
  question.route = RouteFor(&question);
  if (question.route == Route::kNativeOnly) {
    return listener_.Continue(question.id);
  }
  if (listener_.StillWaits(question.id)) {
    Ask(question);
  }
}

bool Service::ReadQuestion(Question* question) {
  const auto path = question->target.ReadPath(question->call.path, path_buffer_);
  if (!path || path->empty() || NamesADirectory(*path)) {
    return false;
  }
  question->path = *path;
  if (question->call.kind != Kind::kOpenHow) {
    return true;
  }
  open_how how{};
  if (!question->target.Read(question->call.other, &how, sizeof(how))) {
    return false;
  }
  const auto open = WithHow(question->call, how);
  question->call = open.value_or(question->call);
  return open.has_value();
}

// A path relative to a descriptor belongs to whoever got that descriptor.
Route Service::RouteFor(Question* question) {
  Route route = Route::kNativeOnly;
  if (question->path.front() == '/') {
    route = client::RouteOf(question->path, settings_.native_directories);
  } else if (question->call.dirfd == AT_FDCWD) {
    const auto cwd = question->target.WorkingDirectory(cwd_buffer_);
    question->cwd = cwd.value_or("");
    route = client::RouteOfRelative(question->path, question->cwd, settings_.native_directories);
  }
  const bool kernel_first = route == Route::kNativeFirst || question->call.kind == Kind::kReadlink;
  return kernel_first && !WouldBeRefused(*question) ? Route::kNativeOnly : route;
}

bool Service::WouldBeRefused(const Question& question) const {
  const WantedUse use = UseOf(question.call);
  if (question.path.front() == '/') {
    return KernelWouldRefuse(path_buffer_, use);
  }
  const std::string absolute = std::string(question.cwd) + "/" + path_buffer_;
  return KernelWouldRefuse(absolute.c_str(), use);
}

void Service::Ask(const Question& question) {
  switch (question.call.kind) {
    case Kind::kOpen:
    case Kind::kOpenHow:
      return AskOpen(question);
    case Kind::kStat:
    case Kind::kStatx:
      return AskStat(question);
    case Kind::kAccess:
      return AskAccess(question);
    case Kind::kUnlink:
      return AskUnlink(question);
    case Kind::kReadlink:
      return AskReadlink(question);
  }
}

client::Endpoint Service::Endpoint() const {
  return {settings_.socket.c_str(), "openhook-notifier", settings_.wait_ms};
}

void Service::Report(const Question& question, std::string_view what, std::string_view purpose,
                     const Answer& answer) const {
  client::Line line;
  client::AddRefusal(what, question.path, purpose, answer, Endpoint(), &line);
  line.PrintTo(question.target.StandardError());
}

bool Service::Exchange(const Question& question, std::string_view what, std::string_view purpose,
                       Answer* answer) {
  request_.id = next_id_++;
  client::Exchange(request_, Endpoint(), &connection_, answer);
  if (question.call.kind == Kind::kOpen && answer->verdict == Verdict::kOk &&
      !answer->descriptor.IsValid()) {
    answer->verdict = Verdict::kDescriptorLost;
    answer->sys_errno = EACCES;
  }
  if (answer->verdict == Verdict::kOk) {
    return true;
  }
  const bool broker_first = question.route == Route::kBrokerFirst;
  const Voice voice =
      broker_first && question.call.kind == Kind::kOpen ? Voice::kAloud : Voice::kQuiet;
  if (client::DeservesALine(answer->verdict, voice)) {
    Report(question, what, purpose, *answer);
  }
  if (answer->verdict == Verdict::kNotMine || !broker_first ||
      question.call.kind == Kind::kReadlink) {
    listener_.Continue(question.id);
  } else {
    listener_.Refuse(question.id, answer->sys_errno);
  }
  return false;
}

void Service::AskOpen(const Question& question) {
  const client::OpenIntent intent = client::IntentOf(question.call.flags);
  mode_t mode = 0;
  if (intent.create) {
    // The kernel would notice the full table before it makes a file; ADDFD comes after.
    if (!question.target.HasRoomForADescriptor()) {
      return listener_.Refuse(question.id, EMFILE);
    }
    mode = question.call.mode & ~question.target.Umask();
    if (!listener_.StillWaits(question.id)) {
      return;  // the umask was perhaps another process's
    }
    *question.token = *question.token != 0 ? *question.token : client::RandomToken();
  }
  if (!client::FillOpen({question.path, question.cwd}, intent, mode, *question.token, &request_)) {
    return listener_.Refuse(question.id, ENAMETOOLONG);
  }
  if (Answer answer; Exchange(question, "open", client::Describe(intent.access), &answer)) {
    GiveDescriptor(question, intent, &answer);
  }
}

void Service::GiveDescriptor(const Question& question, const client::OpenIntent& intent,
                             Answer* answer) {
  const int failure = listener_.Give(question.id, answer->descriptor,
                                     intent.close_on_exec ? OnExec::kClose : OnExec::kKeep);
  answer->descriptor.Reset();
  if (failure == 0 || failure == ENOENT) {
    return;
  }
  if (intent.create && intent.exclusive) {
    UndoCreation(question);
  }
  answer->verdict = Verdict::kDescriptorLost;
  answer->sys_errno = failure;
  Report(question, "open", client::Describe(intent.access), *answer);
  listener_.Refuse(question.id, failure);
}

// Only after O_EXCL: otherwise the file may be an older one of the VM's.
void Service::UndoCreation(const Question& question) {
  if (client::FillUnlink({question.path, question.cwd}, &request_)) {
    Answer ignored;
    request_.id = next_id_++;
    client::Exchange(request_, Endpoint(), &connection_, &ignored);
  }
}

void Service::AskStat(const Question& question) {
  if (!client::FillStat({question.path, question.cwd}, question.call.links, &request_)) {
    return listener_.Refuse(question.id, ENAMETOOLONG);
  }
  Answer answer;
  if (!Exchange(question, "stat", "", &answer)) {
    return;
  }
  if (answer.reply.which_body != openhook_proto_Reply_stat_tag) {
    return listener_.Refuse(question.id, EIO);  // yes, but without what was asked for
  }
  WriteStat(question, answer.reply.body.stat);
}

void Service::WriteStat(const Question& question, const openhook_proto_StatReply& found) {
  struct stat plain{};
  struct statx extended{};
  client::CopyStat(found, &plain);
  client::CopyToStatx(plain, &extended);
  const bool wants_statx = question.call.kind == Kind::kStatx;
  const void* result = wants_statx ? static_cast<const void*>(&extended) : &plain;
  const std::size_t size = wants_statx ? sizeof(extended) : sizeof(plain);
  // Between this and the next line the thread could only be killed; its number comes again after
  // millions of others.
  if (!listener_.StillWaits(question.id)) {
    return;
  }
  if (question.target.Write(question.call.other, result, size)) {
    listener_.Return(question.id, 0);
  } else {
    listener_.Refuse(question.id, EFAULT);
  }
}

void Service::AskAccess(const Question& question) {
  const int mode = static_cast<int>(question.call.mode);
  if (!client::FillAccess({question.path, question.cwd}, mode, &request_)) {
    return listener_.Refuse(question.id, ENAMETOOLONG);
  }
  if (Answer answer; Exchange(question, "access", "", &answer)) {
    listener_.Return(question.id, 0);
  }
}

void Service::AskUnlink(const Question& question) {
  if (!client::FillUnlink({question.path, question.cwd}, &request_)) {
    return listener_.Refuse(question.id, ENAMETOOLONG);
  }
  if (Answer answer; Exchange(question, "unlink", "", &answer)) {
    listener_.Return(question.id, 0);
  }
}

// realpath(3) reads every component as a link. What the broker knows is none.
void Service::AskReadlink(const Question& question) {
  if (!client::FillAccess({question.path, question.cwd}, F_OK, &request_)) {
    return listener_.Continue(question.id);
  }
  if (Answer answer; Exchange(question, "readlink", "", &answer)) {
    listener_.Refuse(question.id, EINVAL);
  }
}

}  // namespace openhook::seccomp
