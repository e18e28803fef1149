// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/aa_helper/holds.h"

#include <algorithm>
#include <charconv>

#include "broker/fs/directory.h"
#include "broker/fs/resolve.h"
#include "broker/fs/text_file.h"
#include "policy/label/apparmor_parse.h"

namespace openhook::aa_helper {

namespace {

constexpr std::size_t kLabelBytes = 4096;
// Processes are chosen by their profile, whoever's they are.
constexpr uid_t kNobody = static_cast<uid_t>(-1);

bool IsIn(const std::string& process, const std::string& profile) {
  const auto text = fs::ReadTextFile("/proc/" + process + "/attr/current", kLabelBytes);
  const auto label =
      text.and_then([](const std::string& words) { return label::ParseAppArmorLabel(words); });
  return label && label->name == profile;
}

}  // namespace

Result<std::set<pid_t>> ProcessesIn(const std::string& profile) {
  const auto names = fs::ListDirectory("/proc");
  if (!names) {
    return Fail(ErrorCode::kUnavailable, "cannot look at the processes in /proc; is it mounted?");
  }
  std::set<pid_t> processes;
  for (const std::string& name : *names) {
    pid_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc() && end == name.data() + name.size() && IsIn(name, profile)) {
      processes.insert(number);
    }
  }
  return processes;
}

Result<Holds> Holds::Look(const std::string& profile) {
  return ProcessesIn(profile)
      .and_then([](const std::set<pid_t>& pids) { return fs::HeldFiles::Scan(kNobody, pids); })
      .map([](fs::HeldFiles held) { return Holds(std::move(held)); });
}

Hold Holds::Of(const std::string& path) const {
  const auto file = fs::ResolveFollowing(path);
  if (!file) {
    return file.error().code == ErrorCode::kNotFound ? Hold::kNot : Hold::kUnknown;
  }
  // A socket's name is no descriptor's.
  if (file->identity.kind == FileKind::kOther) {
    return Hold::kUnknown;
  }
  switch (held_.How(file->identity)) {
    case Held::kForWriting:
      return Hold::kForWriting;
    case Held::kForReading:
      return Hold::kForReading;
    case Held::kNot:
      break;
  }
  return Hold::kNot;
}

}  // namespace openhook::aa_helper
