// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/locate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cctype>
#include <cerrno>

#include "broker/base/text.h"
#include "broker/base/unique_fd.h"
#include "broker/fs/directory.h"

namespace openhook::ctl {

namespace {

constexpr std::string_view kStartOne =
    "start one with 'openhookd --vm UUID', or name another place with --run-dir or --socket";

std::string ControlSocketOf(const std::string& run_dir, const std::string& vm) {
  return run_dir + "/" + vm + "/control.sock";
}

// A directory may be left over from a broker that was killed, so only a socket that somebody
// listens on counts. A socket that we may not use has a listener as far as we can tell.
bool HasListener(const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof(address.sun_path)) {
    return false;
  }
  std::copy(socket_path.begin(), socket_path.end(), address.sun_path);
  const UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return ::connect(socket.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) ==
             0 ||
         errno == EACCES || errno == EAGAIN;
}

// openhookd makes the UUID lower case before it names a directory after it.
std::string LowerCase(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

bool IsUuid(std::string_view text) {
  static constexpr std::string_view kForm = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  static constexpr std::string_view kHexDigits = "0123456789abcdefABCDEF";
  return std::equal(text.begin(), text.end(), kForm.begin(), kForm.end(), [](char c, char form) {
    return form == '-' ? c == '-' : kHexDigits.find(c) != std::string_view::npos;
  });
}

Result<std::vector<std::string>> RunningVms(const std::string& run_dir) {
  const Result<std::vector<std::string>> names = fs::ListDirectory(run_dir);
  if (!names) {
    return Fail(names.error().code,
                fmt::format("no broker can be found: {}; {}", names.error().Message(), kStartOne));
  }
  std::vector<std::string> running;
  for (const std::string& name : *names) {
    if (IsUuid(name) && HasListener(ControlSocketOf(run_dir, name))) {
      running.push_back(name);
    }
  }
  return running;
}

Result<std::string> LocateControlSocket(const GlobalOptions& options) {
  if (!options.socket.empty()) {
    return options.socket;
  }
  if (!options.vm.empty()) {
    return ControlSocketOf(options.run_dir, LowerCase(options.vm));
  }
  Result<std::vector<std::string>> running = RunningVms(options.run_dir);
  if (!running) {
    return tl::make_unexpected(std::move(running).error());
  }
  if (running->empty()) {
    return Fail(ErrorCode::kNotFound, fmt::format("no broker is running below {}; {}",
                                                  Quote(options.run_dir), kStartOne));
  }
  if (running->size() > 1) {
    return Fail(ErrorCode::kConflict,
                fmt::format("several brokers are running below {}; say which one with --vm: {}",
                            Quote(options.run_dir), fmt::join(*running, ", ")));
  }
  return ControlSocketOf(options.run_dir, running->front());
}

}  // namespace openhook::ctl
