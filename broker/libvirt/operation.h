// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One operation of libvirt on a machine's disks, as the lock driver sees it: made for a machine,
// given images, then acquired or released.

#ifndef BROKER_LIBVIRT_OPERATION_H_
#define BROKER_LIBVIRT_OPERATION_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "broker/base/result.h"
#include "broker/libvirt/driver_config.h"
#include "broker/libvirt/feed_client.h"
#include "broker/libvirt/lock_abi.h"

namespace openhook::libvirt {

class Operation {
 public:
  explicit Operation(std::span<const LockParam> params);

  void AddImage(Image image) { images_.push_back(std::move(image)); }

  // libvirt says it of a machine that goes on, or of one image, and does not tell which. Of one
  // image it is said one at a time.
  [[nodiscard]] bool IsWholeMachine() const { return images_.size() > 1; }

  // Tells the machine's broker. What was told of a refused operation is taken back. Without a
  // broker there is nobody to tell, and that is success. Errors: those of FeedClient.
  Result<void> Acquire(const DriverConfig& config, Whose whose) const;
  Result<void> Release(const DriverConfig& config) const;

  // The delegate's side of it.
  LockManager delegate{};

 private:
  [[nodiscard]] std::string SocketPath(const DriverConfig& config) const;

  std::string uuid_;  // empty: not told
  int pid_ = 0;
  std::vector<Image> images_;
};

}  // namespace openhook::libvirt

#endif  // BROKER_LIBVIRT_OPERATION_H_
