// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/libvirt/delegate.h"

#include <dlfcn.h>

#include "broker/base/text.h"

namespace openhook::libvirt {

namespace {

std::string LoaderError() {
  const char* text = ::dlerror();
  return text != nullptr ? text : "no reason is known";
}

std::string DirectoryOf(const void* own) {
  Dl_info info{};
  if (::dladdr(own, &info) == 0 || info.dli_fname == nullptr) {
    return "";
  }
  const std::string file(info.dli_fname);
  return file.substr(0, file.rfind('/') + 1);
}

}  // namespace

Result<LockDriver*> LoadDelegate(const std::string& name, const std::string& config_file,
                                 unsigned version, unsigned flags, const void* own) {
  const std::string file = DirectoryOf(own) + name + ".so";
  void* object = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (object == nullptr) {
    return Fail(ErrorCode::kNotFound,
                "the lock driver " + Quote(name) + " cannot be loaded: " + LoaderError());
  }
  auto* driver = static_cast<LockDriver*>(::dlsym(object, "virLockDriverImpl"));
  if (driver == nullptr) {
    return Fail(ErrorCode::kUnsupported, Quote(file) + " is no lock driver: " + LoaderError());
  }
  if (driver->init(version, config_file.c_str(), flags) < 0) {
    return Fail(ErrorCode::kUnsupported, "the lock driver " + Quote(name) +
                                             " does not start; libvirt's log tells why (its file "
                                             "is " +
                                             Quote(config_file) + ")");
  }
  return driver;
}

}  // namespace openhook::libvirt
