// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The table that libvirt calls. What happens in here happens inside of libvirtd, so: no exception
// leaves it, libvirtd starts whatever our files say, and a machine that has no broker notices
// nothing.

#include <cstdlib>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "broker/libvirt/delegate.h"
#include "broker/libvirt/driver_config.h"
#include "broker/libvirt/lock_abi.h"
#include "broker/libvirt/operation.h"
#include "broker/libvirt/report.h"

namespace {

using openhook::libvirt::DriverConfig;
using openhook::libvirt::LockDriver;
using openhook::libvirt::LockManager;
using openhook::libvirt::LockParam;
using openhook::libvirt::Operation;
using openhook::libvirt::Say;
using openhook::libvirt::SayWhyRefused;
using openhook::libvirt::Whose;

constexpr int kDone = 0;
constexpr int kRefused = -1;

// Set before libvirt's first operation; not freed at the end, because threads of libvirtd may be in
// an operation when it exits.
struct Driver {
  DriverConfig config;
  LockDriver* delegate = nullptr;
  std::string fault;  // a delegate that is wanted and not there: nothing may be acquired
};
Driver* g_driver = nullptr;

template <class Function>
int Guarded(int otherwise, Function&& function) noexcept {
  try {
    return function();
  } catch (const std::exception& exception) {
    Say(std::string("an operation of libvirt was not followed: ") + exception.what());
    return otherwise;
  }
}

Operation* OperationOf(const LockManager* manager) {
  return static_cast<Operation*>(manager->private_data);
}

int Init(unsigned version, const char* config_file, unsigned flags);
int Deinit() { return kDone; }
int Make(LockManager* manager, unsigned type, std::size_t count, LockParam* params, unsigned flags);
void Free(LockManager* manager);
int AddResource(LockManager* manager, unsigned type, const char* name, std::size_t count,
                LockParam* params, unsigned flags);
int Acquire(LockManager* manager, const char* state, unsigned flags, int action, int* fd);
int Release(LockManager* manager, char** state, unsigned flags);
int Inquire(LockManager* manager, char** state, unsigned flags);

}  // namespace

// The name is libvirt's.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" __attribute__((visibility("default"))) LockDriver virLockDriverImpl;
LockDriver virLockDriverImpl = {openhook::libvirt::kLockAbiVersion,
                                0,
                                Init,
                                Deinit,
                                Make,
                                Free,
                                AddResource,
                                Acquire,
                                Release,
                                Inquire};

namespace {

int Init(unsigned version, const char* config_file, unsigned flags) {
  return Guarded(kDone, [&] {
    auto driver = std::make_unique<Driver>();
    auto config = openhook::libvirt::ReadDriverConfig(config_file != nullptr ? config_file : "");
    if (config) {
      driver->config = std::move(*config);
    } else {
      driver->fault = config.error().Message() + ", and a lock driver may be configured there";
    }
    if (!driver->config.delegate.empty()) {
      const auto delegate =
          openhook::libvirt::LoadDelegate(driver->config.delegate, driver->config.delegate_config,
                                          version, flags, &virLockDriverImpl);
      if (delegate) {
        driver->delegate = *delegate;
        virLockDriverImpl.flags = (*delegate)->flags;
      } else {
        driver->fault = delegate.error().Message();
      }
    }
    if (!driver->fault.empty()) {
      Say(driver->fault +
          "; no machine is given a disk until that is right and libvirtd restarted");
    }
    const std::unique_ptr<Driver> before(std::exchange(g_driver, driver.release()));
    return kDone;
  });
}

int Make(LockManager* manager, unsigned type, std::size_t count, LockParam* params,
         unsigned flags) {
  return Guarded(kRefused, [&] {
    const bool is_domain = type == openhook::libvirt::kObjectIsDomain;
    auto operation = std::make_unique<Operation>(
        std::span<const LockParam>(params, is_domain ? count : std::size_t{0}));
    if (g_driver != nullptr && g_driver->delegate != nullptr) {
      operation->delegate.driver = g_driver->delegate;
      if (g_driver->delegate->make(&operation->delegate, type, count, params, flags) < 0) {
        return kRefused;
      }
    }
    manager->private_data = operation.release();
    return kDone;
  });
}

void Free(LockManager* manager) {
  const std::unique_ptr<Operation> operation(OperationOf(manager));
  manager->private_data = nullptr;
  if (operation && operation->delegate.driver != nullptr) {
    operation->delegate.driver->free(&operation->delegate);
  }
}

int AddResource(LockManager* manager, unsigned type, const char* name, std::size_t count,
                LockParam* params, unsigned flags) {
  return Guarded(kRefused, [&] {
    Operation* operation = OperationOf(manager);
    if (type == openhook::libvirt::kResourceIsDisk) {
      operation->AddImage({name, (flags & openhook::libvirt::kResourceReadOnly) == 0,
                           (flags & openhook::libvirt::kResourceShared) != 0});
    }
    LockManager* delegate = &operation->delegate;
    return delegate->driver == nullptr
               ? kDone
               : delegate->driver->add_resource(delegate, type, name, count, params, flags);
  });
}

// A pause has room for the state of what is released; the end of an image has none.
bool IsPause(char* const* state) { return state != nullptr; }

// A machine that runs is not stopped for an image that it has been using.
int TellBroker(const Operation& operation, Whose whose) {
  const auto told = operation.Acquire(g_driver->config, whose);
  if (told) {
    return kDone;
  }
  if (whose == Whose::kWholeMachine) {
    Say(told.error().Message() + " (the machine goes on without it)");
    return kDone;
  }
  SayWhyRefused(told.error().Message());
  return kRefused;
}

int Acquire(LockManager* manager, const char* state, unsigned flags, int action, int* fd) {
  return Guarded(kRefused, [&] {
    if (g_driver == nullptr || !g_driver->fault.empty()) {
      SayWhyRefused(g_driver == nullptr ? "the lock driver could not be set up" : g_driver->fault);
      return kRefused;
    }
    Operation* operation = OperationOf(manager);
    LockManager* delegate = &operation->delegate;
    if (delegate->driver != nullptr &&
        delegate->driver->acquire(delegate, state, flags, action, fd) < 0) {
      return kRefused;
    }
    if ((flags & openhook::libvirt::kAcquireRegisterOnly) != 0) {
      return kDone;
    }
    const int told =
        TellBroker(*operation, operation->IsWholeMachine() ? Whose::kWholeMachine : Whose::kImage);
    if (told != kDone && delegate->driver != nullptr) {
      char* left = nullptr;
      (void)delegate->driver->release(delegate, &left, 0);
      std::free(left);
    }
    return told;
  });
}

int Release(LockManager* manager, char** state, unsigned flags) {
  return Guarded(kDone, [&] {
    Operation* operation = OperationOf(manager);
    if (g_driver != nullptr && !IsPause(state)) {
      if (const auto told = operation->Release(g_driver->config); !told) {
        Say(told.error().Message() + " (an image that libvirt has released may be granted still)");
      }
    }
    LockManager* delegate = &operation->delegate;
    if (delegate->driver != nullptr) {
      return delegate->driver->release(delegate, state, flags);
    }
    if (state != nullptr) {
      *state = nullptr;
    }
    return kDone;
  });
}

int Inquire(LockManager* manager, char** state, unsigned flags) {
  return Guarded(kDone, [&] {
    LockManager* delegate = &OperationOf(manager)->delegate;
    if (delegate->driver != nullptr) {
      return delegate->driver->inquire(delegate, state, flags);
    }
    if (state != nullptr) {
      *state = nullptr;
    }
    return kDone;
  });
}

}  // namespace
