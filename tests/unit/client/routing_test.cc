// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/client/routing.h"

#include <gtest/gtest.h>

namespace openhook::client {
namespace {

TEST(Routing, SystemAndPrivatePathsAreNativeFirst) {
  struct Row {
    const char* path;
    const char* directories;
    Route route;
  };
  const Row rows[] = {
      {"/usr/share/qemu/bios.bin", "", Route::kNativeFirst},
      {"/dev/null", "", Route::kNativeFirst},
      {"/dev/kvm", "", Route::kBrokerFirst},
      {"/etc/shadow", "", Route::kBrokerFirst},
      {"/srv/a.qcow2", "", Route::kBrokerFirst},
      {"/run/vm/qmp.sock", "/run/vm", Route::kNativeFirst},
      {"/run/vm", "/run/vm", Route::kNativeFirst},
      {"/run/vm/x", "/run/vm/", Route::kNativeFirst},
      {"/run/vm2/x", "/run/vm", Route::kBrokerFirst},
      {"/run/vm2/x", "/run/vm:/run/vm2", Route::kNativeFirst},
      {"/srv/x", ":::", Route::kBrokerFirst},
      {"/srv/x", "/", Route::kBrokerFirst},
      {"/srv/x", "srv", Route::kBrokerFirst},
      {"//srv/x", "/srv", Route::kBrokerFirst},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(RouteOf(row.path, row.directories), row.route)
        << row.path << " with " << row.directories;
  }
}

}  // namespace
}  // namespace openhook::client
