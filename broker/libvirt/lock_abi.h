// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The interface between libvirt and a lock driver, as far as libvirt 1.0 to 11 have it: a shared
// object exports the table "virLockDriverImpl". It is not in libvirt's installed headers; layout
// and numbers are facts of its binaries, the names are ours.

#ifndef BROKER_LIBVIRT_LOCK_ABI_H_
#define BROKER_LIBVIRT_LOCK_ABI_H_

#include <cstddef>

namespace openhook::libvirt {

inline constexpr unsigned kLockAbiVersion = 1'000'000;  // 1.0.0
inline constexpr unsigned kLockUsesState = 1U << 0;     // flag of a driver

inline constexpr unsigned kObjectIsDomain = 0;  // types of objects
inline constexpr unsigned kResourceIsDisk = 0;  // types of resources

inline constexpr unsigned kResourceReadOnly = 1U << 0;  // flags of a resource
inline constexpr unsigned kResourceShared = 1U << 1;

inline constexpr unsigned kAcquireRegisterOnly = 1U << 0;  // flags of an acquisition

inline constexpr int kParamIsUint = 4;  // types of parameters
inline constexpr int kParamIsUuid = 7;
inline constexpr std::size_t kUuidBytes = 16;

struct LockParam {
  int type;
  const char* key;
  union {
    int i;
    long long l;
    unsigned ui;
    unsigned long long ul;
    double d;
    char* str;
    const char* cstr;
    unsigned char uuid[kUuidBytes];
  } value;
};

struct LockDriver;

// One operation: made, given resources, acquired or released, freed.
struct LockManager {
  LockDriver* driver;
  void* private_data;
};

struct LockDriver {
  unsigned version;
  unsigned flags;
  int (*init)(unsigned version, const char* config_file, unsigned flags);
  int (*deinit)();
  int (*make)(LockManager* manager, unsigned type, std::size_t count, LockParam* params,
              unsigned flags);
  void (*free)(LockManager* manager);
  int (*add_resource)(LockManager* manager, unsigned type, const char* name, std::size_t count,
                      LockParam* params, unsigned flags);
  int (*acquire)(LockManager* manager, const char* state, unsigned flags, int action, int* fd);
  int (*release)(LockManager* manager, char** state, unsigned flags);
  int (*inquire)(LockManager* manager, char** state, unsigned flags);
};

}  // namespace openhook::libvirt

#endif  // BROKER_LIBVIRT_LOCK_ABI_H_
