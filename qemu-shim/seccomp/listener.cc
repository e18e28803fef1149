// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/seccomp/listener.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace openhook::seccomp {

namespace {

// Like Notification: the kernel reads as many bytes as its own structure has.
struct Response {
  union {
    seccomp_notif_resp known;
    unsigned char room[256];
  };
};

Response NewResponse(std::uint64_t id) {
  Response response;
  std::memset(&response, 0, sizeof(response));
  response.known.id = id;
  return response;
}

void Send(int listener, Response response) {
  int sent = -1;
  do {
    sent = ::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
  } while (sent < 0 && errno == EINTR);
}

}  // namespace

bool Listener::KernelFits() {
  seccomp_notif_sizes sizes{};
  return ::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0 &&
         sizes.seccomp_notif <= sizeof(Notification) &&
         sizes.seccomp_notif_resp <= sizeof(Response);
}

bool Listener::Receive(Notification* notification) const {
  std::memset(notification, 0, sizeof(*notification));  // the kernel insists on it
  return ::ioctl(fd_.Get(), SECCOMP_IOCTL_NOTIF_RECV, notification) == 0;
}

bool Listener::StillWaits(std::uint64_t id) const {
  return ::ioctl(fd_.Get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

void Listener::Continue(std::uint64_t id) const {
  Response response = NewResponse(id);
  response.known.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  Send(fd_.Get(), response);
}

void Listener::Return(std::uint64_t id, std::int64_t value) const {
  Response response = NewResponse(id);
  response.known.val = value;
  Send(fd_.Get(), response);
}

void Listener::Refuse(std::uint64_t id, int sys_errno) const {
  Response response = NewResponse(id);
  response.known.error = -sys_errno;
  Send(fd_.Get(), response);
}

int Listener::Give(std::uint64_t id, const UniqueFd& descriptor, OnExec on_exec) const {
  seccomp_notif_addfd request{};
  request.id = id;
  request.flags = SECCOMP_ADDFD_FLAG_SEND;
  request.srcfd = static_cast<std::uint32_t>(descriptor.Get());
  request.newfd_flags = on_exec == OnExec::kClose ? O_CLOEXEC : 0;
  int added = -1;
  do {
    added = ::ioctl(fd_.Get(), SECCOMP_IOCTL_NOTIF_ADDFD, &request);
  } while (added < 0 && errno == EINTR);
  return added < 0 ? errno : 0;
}

}  // namespace openhook::seccomp
