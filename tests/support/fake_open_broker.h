// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A broker for tests of open.sock's clients: it really listens, and answers as the test says. It
// greets by itself; every other request goes to the handler, which runs on the connection's thread.

#ifndef TESTS_SUPPORT_FAKE_OPEN_BROKER_H_
#define TESTS_SUPPORT_FAKE_OPEN_BROKER_H_

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "broker/base/unique_fd.h"
#include "proto/openhook.pb.h"

namespace openhook::testing_support {

struct FakeReply {
  enum class Then { kKeepConnection, kCloseConnection, kSayNothing };

  proto::Reply reply;  // its id is set unless `keep_id`
  UniqueFd descriptor;
  Then then = Then::kKeepConnection;
  bool keep_id = false;
};

// Replies that most tests need. The descriptor is a memory file that holds `content`.
FakeReply Ok(const std::string& content);
FakeReply Deny(int sys_errno, const std::string& reason);
FakeReply Fail(int sys_errno);
FakeReply NotMine();
FakeReply Close();
FakeReply SayNothing();

class FakeOpenBroker {
 public:
  using Handler = std::function<FakeReply(const proto::Request&)>;

  // Listens at `path` from here on.
  FakeOpenBroker(std::string path, Handler handler);
  ~FakeOpenBroker();
  FakeOpenBroker(const FakeOpenBroker&) = delete;
  FakeOpenBroker& operator=(const FakeOpenBroker&) = delete;

  // Ends every connection, as a broker that dies.
  void Stop();

  // The Hello gets this instead of a greeting.
  void RefuseHello(const std::string& reason);

  // Requests other than Hello, in the order of their arrival.
  std::vector<proto::Request> Requests();
  // Waits until so many requests have come; false after ten seconds.
  bool AwaitRequests(std::size_t count);
  std::size_t Connections();
  std::vector<std::string> Programs();  // names in the Hellos

 private:
  void Accept();
  void Serve(int socket);
  proto::Reply AnswerHello(const proto::Request& request);

  std::string path_;
  Handler handler_;
  UniqueFd listener_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable arrived_;
  std::string hello_refusal_;
  std::vector<UniqueFd> connections_;
  std::vector<std::thread> servers_;
  std::vector<proto::Request> requests_;
  std::vector<std::string> programs_;
  bool stopped_ = false;

  std::thread acceptor_;
};

}  // namespace openhook::testing_support

#endif  // TESTS_SUPPORT_FAKE_OPEN_BROKER_H_
