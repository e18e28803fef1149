// SPDX-License-Identifier: LGPL-2.1-or-later

#include "policy/label/detect.h"

#include <fcntl.h>
#include <sys/apparmor.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "policy/label/peer_process.h"
#include "policy/label/socket_label.h"

namespace openhook::label {

namespace {

// A file that is there and may not be read says nothing about the module, and is noted: where
// openhookd's own profile hides these files, AppArmor must not pass for absent.
std::optional<std::string> ContentOf(const char* path, std::string* unreadable) {
  const UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
  if (!file.IsValid() && errno != ENOENT && errno != ENOTDIR) {
    *unreadable = path;
  }
  std::array<char, 1024> buffer{};
  const ssize_t bytes = file.IsValid() ? ::read(file.Get(), buffer.data(), buffer.size()) : -1;
  if (bytes < 0) {
    return std::nullopt;
  }
  std::string text(buffer.data(), static_cast<std::size_t>(bytes));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\0')) {
    text.pop_back();
  }
  return text;
}

// Libapparmor looks for it in the same way, in the list of mounts.
bool AppArmorAnswers() {
  char* directory = nullptr;
  if (::aa_find_mountpoint(&directory) != 0) {
    return false;
  }
  const std::string path = std::string(directory) + "/.access";
  std::free(directory);  // NOLINT(cppcoreguidelines-no-malloc): libapparmor's
  return UniqueFd(::open(path.c_str(), O_RDWR | O_CLOEXEC)).IsValid();
}

bool InList(const std::string& list, std::string_view word) {
  const std::string commas = "," + list + ",";
  return commas.find("," + std::string(word) + ",") != std::string::npos;
}

void ProbeSockets(KernelFacts* facts) {
  std::array<int, 2> raw{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, raw.data()) != 0) {
    return;
  }
  const UniqueFd left(raw[0]);
  const UniqueFd right(raw[1]);
  facts->socket_labels = ReadSocketLabel(left).has_value();
  facts->peer_pidfds = HasPeerPidfds(left);
}

}  // namespace

KernelFacts ReadKernelFacts() {
  KernelFacts facts;
  facts.lsm = ContentOf("/sys/kernel/security/lsm", &facts.unreadable);
  facts.apparmor_enabled = ContentOf("/sys/module/apparmor/parameters/enabled", &facts.unreadable);
  facts.selinux_enforce = ContentOf("/sys/fs/selinux/enforce", &facts.unreadable);
  facts.apparmor_answers = AppArmorAnswers();
  facts.own_label = ContentOf("/proc/self/attr/current", &facts.unreadable).value_or("");
  ProbeSockets(&facts);
  return facts;
}

Module ModuleInForce(const KernelFacts& facts) {
  const auto listed = [&facts](std::string_view word) {
    return !facts.lsm || InList(*facts.lsm, word);
  };
  if (facts.apparmor_enabled == "Y" && listed("apparmor")) {
    return Module::kAppArmor;
  }
  const bool selinux_listed = facts.lsm && InList(*facts.lsm, "selinux");
  return selinux_listed || facts.selinux_enforce ? Module::kSelinux : Module::kNone;
}

}  // namespace openhook::label
