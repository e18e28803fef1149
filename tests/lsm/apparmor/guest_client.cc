// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A process of a VM that does what it is told, in order, to show the broker every way of being or
// not being who it says: guest_client SOCKET STEP... Prints a line for each answer of the broker.
//
//   as=PROFILE stack=PROFILE  changes to the profile; puts it on top of its own
//   socket connect greet      in three steps what clients do in one
//   read=PATH write=PATH      asks for the file
//   time=COUNT:PATH           asks so often; prints nanoseconds for one
//   exec=PROGRAM              executes it, with the connection and the steps that are left
//   child orphan              goes on in a child; the parent waits for it, or ends first
//   say=WORD await=PATH       prints the word; waits until there is a file of that name

#include <fcntl.h>
#include <sys/apparmor.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/broker_process.h"
#include "tests/support/raw_peer.h"

namespace openhook::testing_support {
namespace {

[[noreturn]] void Stop(const std::string& what) {
  std::perror(what.c_str());
  std::exit(9);
}

void Must(bool done, const std::string& what) {
  if (!done) {
    Stop(what);
  }
}

class Client {
 public:
  explicit Client(std::string socket_path) : path_(std::move(socket_path)) {}

  void Do(const std::string& step, const std::vector<std::string>& rest) {
    const std::size_t equals = step.find('=');
    const std::string word = step.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : step.substr(equals + 1);
    if (word == "exec" || word == "child" || word == "orphan") {
      return GoOnElsewhere(word, value, rest);
    }
    if (word == "as" || word == "stack") {
      return ChangeProfile(word, value);
    }
    if (word == "socket" || word == "connect" || word == "fd") {
      return MakeConnection(word, value);
    }
    if (word == "say" || word == "await") {
      return Meet(word, value);
    }
    AskTheBroker(word, value);
  }

 private:
  static void ChangeProfile(const std::string& word, const std::string& profile) {
    const int done =
        word == "as" ? ::aa_change_profile(profile.c_str()) : ::aa_stack_profile(profile.c_str());
    Must(done == 0, word + "=" + profile);
  }

  void MakeConnection(const std::string& word, const std::string& number) {
    if (word == "fd") {
      peer_.emplace(UniqueFd(std::atoi(number.c_str())));
      return;
    }
    if (!peer_) {
      peer_.emplace(UniqueFd(::socket(AF_UNIX, SOCK_SEQPACKET, 0)));
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    Must(word == "socket" || ::connect(peer_->Get(), generic, sizeof(address)) == 0, word);
  }

  void GoOnElsewhere(const std::string& word, const std::string& program,
                     const std::vector<std::string>& rest) const {
    std::fflush(stdout);
    if (word == "exec") {
      std::vector<std::string> words = {program, path_, "fd=" + std::to_string(peer_->Get())};
      words.insert(words.end(), rest.begin(), rest.end());
      std::vector<char*> pointers;
      for (std::string& one : words) {
        pointers.push_back(one.data());
      }
      pointers.push_back(nullptr);
      ::execv(pointers[0], pointers.data());
      Stop("exec");
    }
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    Must(child >= 0, "fork");
    if (child > 0) {
      int status = 0;
      if (word == "child") {
        ::waitpid(child, &status, 0);
      }
      std::_Exit(status == 0 ? 0 : 9);
    }
    while (word == "orphan" && ::getppid() == parent) {
      ::usleep(1000);
    }
  }

  static void Meet(const std::string& word, const std::string& value) {
    if (word == "say") {
      std::printf("%s\n", value.c_str());
      std::fflush(stdout);
      return;
    }
    while (::access(value.c_str(), F_OK) != 0) {
      ::usleep(1000);
    }
  }

  void AskTheBroker(const std::string& word, const std::string& value) const {
    if (word == "time") {
      return Time(value);
    }
    proto::Request request = word == "greet" ? HelloRequest() : OpenRequest(value);
    if (word == "write") {
      request.mutable_open()->set_access(proto::ACCESS_READ_WRITE);
    }
    const auto answer = Ask(*peer_, request);
    if (!answer) {
      std::printf("%s: closed\n", word.c_str());
    } else if (answer->reply.outcome() == proto::OUTCOME_OK) {
      const bool lost = answer->reply.descriptor() && !answer->fd.IsValid();
      std::printf("%s: %s\n", word.c_str(), lost ? "lost" : "ok");
    } else {
      std::printf("%s: errno %d, %s\n", word.c_str(), answer->reply.sys_errno(),
                  answer->reply.reason().c_str());
    }
  }

  void Time(const std::string& value) const {
    const int count = std::atoi(value.c_str());
    const proto::Request request = OpenRequest(value.substr(value.find(':') + 1));
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < count; ++i) {
      Must(Ask(*peer_, request)->fd.IsValid(), "open");
    }
    const std::chrono::nanoseconds time = std::chrono::steady_clock::now() - begin;
    std::printf("%lld\n", static_cast<long long>(time.count() / count));
  }

  std::string path_;
  std::optional<RawPeer> peer_;
};

}  // namespace
}  // namespace openhook::testing_support

int main(int argc, char** argv) {
  using openhook::testing_support::BrokerProcess;
  const std::vector<std::string> words(argv + 1, argv + argc);
  openhook::testing_support::Must(::geteuid() != 0 || (::setgid(BrokerProcess::kVmUid) == 0 &&
                                                       ::setuid(BrokerProcess::kVmUid) == 0),
                                  "setuid");
  openhook::testing_support::Client client(words.at(0));
  for (std::size_t i = 1; i < words.size(); ++i) {
    client.Do(words[i], {words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end()});
  }
  return 0;
}
