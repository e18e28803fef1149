// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Commands of the human monitor inside QMP. Those that write one file are followed; those that do
// more with files have a QMP twin, and are refused with its name.

#include <algorithm>
#include <array>

#include "broker/base/text.h"
#include "broker/relay/planning.h"

namespace openhook::relay {

namespace {

// A word for each argument, quotes resolved as QEMU's monitor does.
std::vector<std::string> Words(const std::string& line) {
  std::vector<std::string> words;
  bool quoted = false;
  bool inside = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"') {
      quoted = !quoted;
      words.resize(words.size() + (inside ? 0 : 1));
      inside = true;
    } else if (!quoted && (c == ' ' || c == '\t')) {
      inside = false;
    } else {
      words.resize(words.size() + (inside ? 0 : 1));
      inside = true;
      words.back() += quoted && c == '\\' && i + 1 < line.size() ? line[++i] : c;
    }
  }
  return words;
}

struct Twin {
  std::string_view human;
  std::string_view qmp;
};
constexpr auto kRefused = std::to_array<Twin>({
    {"block_stream", "block-stream"},
    {"change", "blockdev-change-medium"},
    {"chardev-add", "chardev-add"},
    {"chardev-change", "chardev-change"},
    {"chardev-remove", "chardev-remove"},
    {"commit", "block-commit"},
    {"drive_add", "blockdev-add"},
    {"drive_backup", "drive-backup or blockdev-backup"},
    {"drive_del", "blockdev-del"},
    {"drive_mirror", "drive-mirror or blockdev-mirror"},
    {"dump-skeys", "dump-skeys"},
    {"eject", "eject"},
    {"migrate", "migrate"},
    {"migrate_incoming", "migrate-incoming"},
    {"object_add", "object-add"},
    {"object_del", "object-del"},
    {"snapshot_blkdev", "blockdev-snapshot-sync"},
});

// Where the file is among the arguments that are no options.
struct Saving {
  std::string_view command;
  std::size_t position;
  std::string_view options_with_value;
};
constexpr auto kSaving = std::to_array<Saving>({
    {"screendump", 0, "-f"},
    {"pmemsave", 2, ""},
    {"memsave", 2, ""},
    {"dump-guest-memory", 0, ""},
    {"logfile", 0, ""},
});

std::string FileIn(const std::vector<std::string>& words, const Saving& saving) {
  std::vector<std::string> plain;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (!words[i].starts_with('-')) {
      plain.push_back(words[i]);
    } else if (words[i] == saving.options_with_value) {
      ++i;
    }
  }
  return saving.position < plain.size() ? plain[saving.position] : "";
}

template <class Table>
const typename Table::value_type* Lookup(const Table& table, const std::string& word,
                                         std::string_view Table::value_type::* key) {
  for (const auto& row : table) {
    if (row.*key == word) {
      return &row;
    }
  }
  return nullptr;
}

std::vector<std::string> WordsOf(const Json& arguments) {
  std::vector<std::string> words = Words(StringAt(arguments, "command-line"));
  words.resize(words.empty() ? 1 : words.size());
  return words;
}

bool IsContinue(const std::string& word) { return word == "cont" || word == "c"; }

}  // namespace

Concern ConcernOfHumanCommand(const Json& arguments, const State& state) {
  const std::string word = WordsOf(arguments).front();
  return Lookup(kSaving, word, &Saving::command) != nullptr || (IsContinue(word) && state.left)
             ? Concern::kAsking
             : Concern::kNoting;
}

void PlanHumanCommand(const Json& arguments, Planning* planning) {
  const std::vector<std::string> words = WordsOf(arguments);
  const std::string& command = words.front();
  const Twin* twin = Lookup(kRefused, command, &Twin::human);
  if (twin != nullptr) {
    planning->Refuse("openhook does not follow " + Quote(command) +
                     " of the human monitor; use the QMP command " + std::string(twin->qmp));
  } else if (command == "device_add" && words.back().find("drive=") != std::string::npos) {
    planning->Refuse(
        "openhook does not follow disks in 'device_add' of the human monitor; use the "
        "QMP command device_add");
  } else if (const Saving* saving = Lookup(kSaving, command, &Saving::command)) {
    if (command == "logfile") {
      planning->plan.effects.released.emplace_back("logfile");
      planning->Hold("logfile", FileIn(words, *saving), proto::GRANT_ACCESS_CREATE);
      return;
    }
    const std::string file = FileIn(words, *saving);
    const bool detach = std::find(words.begin(), words.end(), "-d") != words.end();
    (command == "dump-guest-memory" ? PlanDump : PlanFileOfCommand)(
        {{"protocol", "file:" + file}, {"filename", file}, {"detach", detach}}, planning);
  } else if (command == "block_job_complete" && words.size() > 1) {
    planning->plan.completes.push_back(words[1]);
  } else if (IsContinue(command) && planning->state().left) {
    PlanCont(arguments, planning);
  }
}

}  // namespace openhook::relay
