// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tests/hostile/hostile_test.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <stdexcept>
#include <thread>

namespace openhook::hostile {

namespace {

using testing_support::BrokerProcess;
using testing_support::RawPeer;

constexpr std::string_view kContent = "bytes of the granted file";
// AddressSanitizer keeps freed memory for a while, so growth says nothing there.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

std::string ReadAll(const UniqueFd& fd) {
  std::array<char, 256> buffer;
  const ssize_t size = ::pread(fd.Get(), buffer.data(), buffer.size(), 0);
  return std::string(buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
}

template <class T>
T Must(std::optional<T> value, const char* what) {
  if (!value) {
    throw std::runtime_error(what);
  }
  return std::move(*value);
}

}  // namespace

void HostileTest::StartBroker(const std::vector<std::string>& extra) {
  broker_ = std::make_unique<BrokerProcess>(OPENHOOKD, extra);
  granted_ = broker_->WriteFile("granted.img", std::string(kContent));
  secret_ = broker_->WriteFile("secret.img", "nobody's business");
  broker_->Grant(granted_, proto::GRANT_ACCESS_READ);
  ExpectServesOpen();
  ExpectServesControl();
  // A connection that ends is noticed a moment later; only then is the count the idle one.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  descriptors_ = broker_->DescriptorCount();
  resident_kib_ = broker_->ResidentKib();
}

void HostileTest::ExpectUnharmed() {
  ASSERT_TRUE(broker_->IsRunning()) << broker_->Log();
  ExpectServesOpen();
  ExpectServesControl();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (broker_->DescriptorCount() != descriptors_ &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(broker_->DescriptorCount(), descriptors_);
  if (!kSanitized) {
    EXPECT_LE(broker_->ResidentKib(), resident_kib_ + kMaxGrowthKib);
  }
  EXPECT_EQ(broker_->Log(), "") << "a peer can fill the broker's log";
}

void HostileTest::ExpectServesOpen() const {
  const auto peer = testing_support::ConnectGreeted(broker_->OpenSocket());
  ASSERT_TRUE(peer) << "a good client is not greeted";
  const auto answer = Ask(*peer, testing_support::OpenRequest(granted_));
  ASSERT_TRUE(answer) << "a good client gets no answer";
  EXPECT_EQ(answer->reply.outcome(), proto::OUTCOME_OK) << answer->reply.reason();
  EXPECT_EQ(ReadAll(answer->fd), kContent);
}

void HostileTest::ExpectServesControl() const {
  proto::ControlRequest request;
  request.mutable_status();
  const auto reply = testing_support::AskControl(broker_->ControlSocket(), request);
  EXPECT_EQ(reply.outcome(), proto::OUTCOME_OK) << reply.reason();
}

RawPeer HostileTest::Connected() const {
  return Must(RawPeer::Connect(broker_->OpenSocket()), "cannot connect");
}

RawPeer HostileTest::Greeted() const {
  return Must(testing_support::ConnectGreeted(broker_->OpenSocket()), "not greeted");
}

}  // namespace openhook::hostile
