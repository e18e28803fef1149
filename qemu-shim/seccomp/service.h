// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Serves one trapped call at a time: reads what is wanted, decides as the preload library does who
// is asked (client/routing.h), asks the broker as an ordinary client, answers. One object for each
// thread, with a connection of its own.

#ifndef QEMU_SHIM_SECCOMP_SERVICE_H_
#define QEMU_SHIM_SECCOMP_SERVICE_H_

#include <limits.h>

#include <string>
#include <string_view>

#include "qemu-shim/client/exchange.h"
#include "qemu-shim/client/refusal.h"
#include "qemu-shim/client/request.h"
#include "qemu-shim/client/routing.h"
#include "qemu-shim/seccomp/call.h"
#include "qemu-shim/seccomp/in_flight.h"
#include "qemu-shim/seccomp/listener.h"
#include "qemu-shim/seccomp/target.h"

namespace openhook::seccomp {

struct Settings {
  std::string socket;              // the broker's open.sock
  std::string native_directories;  // colon-separated: the program's own, opened without the broker
  int wait_ms = 5000;              // for a broker that restarts
};

class Service {
 public:
  Service(const Listener& listener, const Settings& settings)
      : listener_(listener), settings_(settings) {}
  ~Service() { connection_.Drop(); }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Answers the call, which is pending, unless its thread is gone.
  void Serve(InFlightCall* in_flight);

 private:
  // What was read about the call.
  struct Question {
    Call call;
    Target target;
    std::uint64_t id = 0;
    std::uint64_t* token = nullptr;
    client::Route route = client::Route::kBrokerFirst;
    std::string_view path;  // in path_buffer_
    std::string_view cwd;   // in cwd_buffer_
  };

  bool ReadQuestion(Question* question);
  // Finds the working directory too, where it matters.
  client::Route RouteFor(Question* question);
  [[nodiscard]] bool WouldBeRefused(const Question& question) const;

  void Ask(const Question& question);
  void AskOpen(const Question& question);
  void AskStat(const Question& question);
  void AskAccess(const Question& question);
  void AskUnlink(const Question& question);
  void AskReadlink(const Question& question);

  // False when the program has the answer already: "with your own rights", or no.
  bool Exchange(const Question& question, std::string_view what, std::string_view purpose,
                client::Answer* answer);
  void GiveDescriptor(const Question& question, const client::OpenIntent& intent,
                      client::Answer* answer);
  void WriteStat(const Question& question, const openhook_proto_StatReply& found);
  void UndoCreation(const Question& question);
  void Report(const Question& question, std::string_view what, std::string_view purpose,
              const client::Answer& answer) const;
  [[nodiscard]] client::Endpoint Endpoint() const;

  const Listener& listener_;
  const Settings& settings_;
  client::ConnectionSlot connection_;
  std::uint64_t next_id_ = 1;
  openhook_proto_Request request_;
  char path_buffer_[PATH_MAX];
  char cwd_buffer_[PATH_MAX];
};

}  // namespace openhook::seccomp

#endif  // QEMU_SHIM_SECCOMP_SERVICE_H_
