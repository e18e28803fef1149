// SPDX-License-Identifier: LGPL-2.1-or-later

#include "policy/label/socket_label.h"

#include <sys/socket.h>

#include <cerrno>

namespace openhook::label {

std::optional<std::string> ReadSocketLabel(const UniqueFd& socket) {
  std::string label(256, '\0');
  socklen_t bytes = static_cast<socklen_t>(label.size());
  if (::getsockopt(socket.Get(), SOL_SOCKET, SO_PEERSEC, label.data(), &bytes) != 0) {
    if (errno != ERANGE) {
      return std::nullopt;
    }
    label.resize(bytes);
    if (::getsockopt(socket.Get(), SOL_SOCKET, SO_PEERSEC, label.data(), &bytes) != 0) {
      return std::nullopt;
    }
  }
  label.resize(bytes);
  while (!label.empty() && label.back() == '\0') {
    label.pop_back();
  }
  return label;
}

}  // namespace openhook::label
