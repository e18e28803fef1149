// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhook-loader: the only program of ours that may change the kernel's AppArmor policy, apart
// from the broker so that the broker need not be able to. Started for one VM, by whoever starts its
// broker; the two find each other by a socket, and each may be restarted alone.

#include <cap-ng.h>
#include <google/protobuf/stubs/logging.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include <cerrno>
#include <cstdio>
#include <exception>

#include "policy/loader/kernel_policy.h"
#include "policy/loader/options.h"
#include "policy/loader/service.h"

namespace openhook::loader {
namespace {

// CAP_MAC_ADMIN to load; the other two to give the parser a user without any.
Result<void> DropPrivileges() {
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return FailErrno(errno, "cannot set no_new_privs");
  }
  capng_get_caps_process();
  const bool privileged = capng_have_capability(CAPNG_EFFECTIVE, CAP_MAC_ADMIN) != 0;
  const bool may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0;
  capng_clear(CAPNG_SELECT_BOTH);
  if (privileged) {
    for (const capng_type_t set : {CAPNG_EFFECTIVE, CAPNG_PERMITTED}) {
      capng_updatev(CAPNG_ADD, set, CAP_MAC_ADMIN, CAP_SETUID, CAP_SETGID, -1);
    }
  }
  if (capng_apply(may_bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) != 0) {
    return FailErrno(errno, "cannot drop capabilities");
  }
  return {};
}

Result<void> Serve(const Options& options) {
  KernelPolicy kernel;
  auto service = Service::Start(options, &kernel);
  if (!service) {
    return tl::make_unexpected(service.error());
  }
  if (auto dropped = DropPrivileges(); !dropped) {
    return dropped;
  }
  ::sd_notify(0, "READY=1");
  return service->Run();
}

int Complain(const char* what) {
  (void)std::fprintf(stderr, "<3>openhook-loader: %s\n", what);
  return 1;
}

int Run(int argc, const char* const* argv) {
  google::protobuf::SetLogHandler(nullptr);
  const auto options = ParseOptions(argc, argv);
  if (!options) {
    (void)std::fputs(options.error().text.c_str(), options.error().status == 0 ? stdout : stderr);
    return options.error().status;
  }
  ::umask(S_IRWXG | S_IRWXO);
  const auto served = Serve(*options);
  return served ? 0 : Complain(served.error().Message().c_str());
}

}  // namespace
}  // namespace openhook::loader

int main(int argc, char** argv) {
  try {
    return openhook::loader::Run(argc, argv);
  } catch (const std::exception& exception) {
    return openhook::loader::Complain(exception.what());
  }
}
