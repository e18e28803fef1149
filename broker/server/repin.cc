// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/repin.h"

#include <map>
#include <utility>

namespace openhook::server {

namespace {

using worker::Clock;
using worker::FileJob;
using worker::FileResult;

FileJob JobOf(const Question& question) {
  FileJob job{.kind = question.kind, .path = &question.path};
  (question.kind == worker::FileJobKind::kFind ? job.directory : job.pinned) = &question.pinned;
  return job;
}

// The questions about one file system, one after the other: the pool takes only so many at a time,
// and when the first is not answered in time, neither are the others.
struct Row {
  std::vector<Question*> questions;
  std::size_t next = 0;
};

class Rows {
 public:
  Rows(const worker::Jobs& jobs, std::map<std::uint64_t, Row> rows)
      : jobs_(jobs), rows_(std::move(rows)), until_(jobs.Deadline()) {}

  void Run() {
    for (auto& [place, row] : rows_) {
      AskNext(&row);
    }
    if (jobs_.pool() != nullptr) {
      jobs_.pool()->RunUntil([this] { return IsDone(); });
    }
  }

 private:
  [[nodiscard]] bool IsDone() const {
    for (const auto& [place, row] : rows_) {
      if (row.next < row.questions.size()) {
        return false;
      }
    }
    return true;
  }

  // Answers that come at once are taken in a loop: there may be as many as a VM has grants.
  void AskNext(Row* row) {
    std::size_t asked = row->next;
    do {
      if (asked == row->questions.size()) {
        return;
      }
      asking_ = true;
      jobs_.Run(JobOf(*row->questions[asked]), until_,
                [this, row](FileResult answer) { Take(row, std::move(answer)); });
      asking_ = false;
      ++asked;
    } while (row->next == asked);
  }

  void Take(Row* row, FileResult answer) {
    row->questions[row->next++]->answer = std::move(answer);
    if (!asking_) {
      AskNext(row);
    }
  }

  const worker::Jobs& jobs_;
  std::map<std::uint64_t, Row> rows_;
  Clock::time_point until_;
  bool asking_ = false;
};

}  // namespace

void AnswerAll(std::vector<Question>* questions, const worker::Jobs& jobs) {
  std::map<std::uint64_t, Row> rows;
  for (Question& question : *questions) {
    if (question.where == FileSystemKind::kLocal) {
      question.answer = worker::Perform(JobOf(question));
    } else {
      rows[question.pinned.mount_id].questions.push_back(&question);
    }
  }
  Rows(jobs, std::move(rows)).Run();
}

}  // namespace openhook::server
