// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Both protocol handlers, fed with packets as a session feeds them. The input is a sequence of
// packets: one byte (the top bit chooses the socket, the rest is the length), then so many bytes.
// A descriptor that comes back must be the granted file's.

#include <google/protobuf/stubs/logging.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>

#include "broker/base/result.h"
#include "broker/server/broker.h"
#include "broker/server/control_handler.h"
#include "broker/server/open_handler.h"

namespace openhook::server {
namespace {

constexpr const char* kRoot = "/tmp/openhook-fuzz-wire";
constexpr std::uint8_t kControlBit = 0x80;

// One broker for all inputs; the corpus names its files, so their place is fixed.
struct Scene {
  Scene() {
    google::protobuf::SetLogHandler(nullptr);  // as openhookd does
    std::filesystem::remove_all(kRoot);
    std::filesystem::create_directories(std::string(kRoot) + "/state");
    std::filesystem::create_directories(std::string(kRoot) + "/run");
    std::ofstream(std::string(kRoot) + "/granted") << "granted";
    options.vm = "11111111-2222-3333-4444-555555555555";
    options.state_dir = std::string(kRoot) + "/state";
    options.run_dir = std::string(kRoot) + "/run";
    auto started = Broker::Start(options, {});
    CheckOrDie(started.has_value(), "the broker starts");
    broker = std::move(*started);
    const std::string path = std::string(kRoot) + "/granted";
    CheckOrDie(broker->Grant("fuzz", {{.path = path}}, nullptr).has_value(), "the file is granted");
    CheckOrDie(::stat(path.c_str(), &granted) == 0, "the file is there");
  }

  Options options;
  std::unique_ptr<Broker> broker;
  struct stat granted{};
};

void Check(const Scene& scene, const Reaction& reaction) {
  CheckOrDie(!reaction.reply.empty(), "every packet is answered");
  if (reaction.fd) {
    struct stat got{};
    CheckOrDie(::fstat(reaction.fd->Get(), &got) == 0 && got.st_ino == scene.granted.st_ino,
               "a descriptor is the granted file's");
  }
}

// Changes of the whitelist would outlive their input, and the file system decides about them.
bool ChangesTheWhitelist(std::span<const std::uint8_t> packet) {
  proto::ControlRequest request;
  return request.ParseFromArray(packet.data(), static_cast<int>(packet.size())) &&
         (request.has_grant() || request.has_revoke() || request.has_job_begin() ||
          request.has_job_end());
}

void Run(std::span<const std::uint8_t> input) {
  static Scene scene;
  const Result<Peer> root(Peer{.pid = ::getpid()});
  const auto open = MakeOpenHandler(scene.broker.get(), root);
  const auto control = MakeControlHandler(
      scene.broker.get(), root, [](const std::string&) { return true; },
      [](proto::StatusReply*) {});
  while (!input.empty()) {
    const bool to_control = (input.front() & kControlBit) != 0;
    const std::size_t wanted = input.front() & ~kControlBit & 0xFF;
    input = input.subspan(1);
    const auto packet = input.first(std::min(wanted, input.size()));
    input = input.subspan(packet.size());
    if (!to_control || !ChangesTheWhitelist(packet)) {
      int answers = 0;
      (to_control ? control : open)->Handle(packet, [&answers](const Reaction& reaction) {
        ++answers;
        Check(scene, reaction);
      });
      CheckOrDie(answers == 1, "without workers every packet is answered once, at once");
    }
  }
}

}  // namespace
}  // namespace openhook::server

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  openhook::server::Run({data, size});
  return 0;
}
