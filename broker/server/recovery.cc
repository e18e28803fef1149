// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/recovery.h"

#include <utility>

#include "broker/fs/identity.h"
#include "broker/server/repin.h"
#include "broker/whitelist/rule.h"

namespace openhook::server {

namespace {

using whitelist::Change;
using whitelist::CreatedFile;
using whitelist::Grant;
using worker::FileJobKind;

FileSystemKind KindOf(bool may_block) {
  return may_block ? FileSystemKind::kMayBlock : FileSystemKind::kLocal;
}

// The entry of a created file says it; one that is not recorded yet has its name's or directory's.
FileSystemKind KindOf(const whitelist::Whitelist& list, const CanonicalPath& path) {
  for (const std::string& name : {path.str(), path.Parent().str()}) {
    const auto found = list.Find(name);
    if (found.entry != nullptr && found.entry->may_block) {
      return FileSystemKind::kMayBlock;
    }
  }
  return FileSystemKind::kLocal;
}

std::vector<Question> QuestionsAbout(const whitelist::Whitelist& list) {
  std::vector<Question> questions;
  for (const auto& [id, grant] : list.grants()) {
    const FileSystemKind where = KindOf(grant.may_block);
    if (grant.identity) {
      questions.push_back({FileJobKind::kConfirm, grant.path, *grant.identity, where});
    }
    if (grant.directory) {
      questions.push_back({FileJobKind::kConfirm, grant.path.Parent(), *grant.directory, where});
    }
  }
  for (const auto& [path, file] : list.created()) {
    const FileSystemKind where = KindOf(list, path);
    questions.push_back({FileJobKind::kConfirm, path, file.identity, where});
    questions.push_back({FileJobKind::kConfirm, path.Parent(), file.directory, where});
  }
  return questions;
}

// Reads the answers in the order of QuestionsAbout().
class Answers {
 public:
  explicit Answers(const std::vector<Question>& questions) : questions_(questions) {}

  // Pins anew what was confirmed. False when it was not.
  bool Confirm(FileIdentity* pinned) {
    const Question& question = questions_[next_++];
    if (!question.answer.identity) {
      return false;
    }
    *pinned = *question.answer.identity;
    return true;
  }

 private:
  const std::vector<Question>& questions_;
  std::size_t next_ = 0;
};

Change ChangeFor(const whitelist::Whitelist& list, const std::vector<Question>& questions) {
  Answers answers(questions);
  Change change;
  change.generation = list.generation() + 1;
  for (const auto& [id, old] : list.grants()) {
    Grant grant = old;
    const bool file = !grant.identity || answers.Confirm(&*grant.identity);
    const bool directory = !grant.directory || answers.Confirm(&*grant.directory);
    grant.stale = grant.stale || !file || !directory;
    change.removed.push_back(id);
    change.added.push_back(std::move(grant));
  }
  for (const auto& [path, old] : list.created()) {
    CreatedFile created = old;
    change.forgotten.push_back(path);
    const bool file = answers.Confirm(&created.identity);
    const bool directory = answers.Confirm(&created.directory);
    // One that cannot be confirmed is simply not the VM's any more.
    if (file && directory) {
      change.created.push_back(std::move(created));
    }
  }
  return change;
}

audit::Event UnansweredEvent(const Question& question) {
  const whitelist::RuleText& text = TextOf(whitelist::Rule::kStale);
  audit::Event event;
  event.operation = audit::Operation::kStart;
  event.outcome = audit::Outcome::kFail;
  event.path = question.path.str();
  event.rule = text.word;
  event.reason = std::string(text.reason) + " (" + question.answer.error->Message() + ")";
  event.remedy = text.remedy;
  return event;
}

audit::Event UnsavedEvent(const Error& error) {
  audit::Event event;
  event.operation = audit::Operation::kStart;
  event.outcome = audit::Outcome::kFail;
  event.rule = "state";
  event.reason = error.Message();
  return event;
}

Result<void> Finish(store::Store* store, store::Loaded* loaded, const store::Creating& creating,
                    const worker::FileResult& found) {
  if (!found.identity) {
    return store->SaveCreated(creating.path, nullptr);
  }
  const Change change = loaded->whitelist.PlanCreated(
      {creating.path, creating.lease, *found.identity, creating.directory, creating.token});
  if (auto saved = store->SaveCreated(creating.path, &change); !saved) {
    return saved;
  }
  loaded->whitelist.Apply(change);
  return {};
}

}  // namespace

Result<void> ConfirmIdentities(store::Store* store, store::Loaded* loaded, const worker::Jobs& jobs,
                               std::vector<audit::Event>* unanswered) {
  const auto boot_id = fs::BootId();
  if (!boot_id) {
    return tl::make_unexpected(boot_id.error());
  }
  if (loaded->boot_id == *boot_id) {
    return {};
  }
  std::vector<Question> questions = QuestionsAbout(loaded->whitelist);
  AnswerAll(&questions, jobs);
  Result<void> saved;
  if (!questions.empty()) {
    const Change change = ChangeFor(loaded->whitelist, questions);
    saved = store->Save(change);
    loaded->whitelist.Apply(change);
  }
  for (const Question& question : questions) {
    if (question.answer.unanswered) {
      unanswered->push_back(UnansweredEvent(question));
    }
  }
  if (saved) {
    saved = store->SaveBootId(*boot_id);
  }
  // A disk that takes nothing is no reason to leave the VM without its files: the next start
  // confirms them again.
  if (!saved) {
    unanswered->push_back(UnsavedEvent(saved.error()));
  }
  return {};
}

void FinishCreating(store::Store* store, store::Loaded* loaded, const worker::Jobs& jobs) {
  const std::vector<store::Creating> all = std::exchange(loaded->creating, {});
  loaded->creating.reserve(all.size());
  std::vector<Question> questions;
  questions.reserve(all.size());
  for (const store::Creating& creating : all) {
    questions.push_back({FileJobKind::kFind, creating.path, creating.directory,
                         KindOf(loaded->whitelist, creating.path)});
  }
  AnswerAll(&questions, jobs);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (questions[i].answer.unanswered || !Finish(store, loaded, all[i], questions[i].answer)) {
      loaded->creating.push_back(all[i]);
    }
  }
}

}  // namespace openhook::server
