// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Names that belong to the operating system, not to a VM: libraries, firmware, /proc, the harmless
// devices. One table with three readers:
//   - the shim opens them with QEMU's own rights first, and asks the broker only when that fails
//     with EACCES or EPERM;
//   - the broker answers "not mine" for those that nobody granted;
//   - the launcher gives QEMU's Landlock domain exactly these, with the rights below.
// The table says who asks whom, never who may: on a native open QEMU's own confinement (uid,
// Landlock, a security module) decides. So a spelling like "/usr/../srv/disk" need not be resolved
// here; it gains nothing.
//
// Measured on QEMU 7.2: libraries, modules, ROMs, keymaps, locale, NSS, /proc/self, CPU topology,
// entropy, ptys. /dev/null must be read-write, or QEMU silently runs without image locks.
// /etc is listed by file: /etc/shadow and its like must reach the broker, which says no aloud.
//
// Free of allocation and of the C++ run-time library: the preload shim uses it inside QEMU.

#ifndef BROKER_BASE_SYSTEM_PATHS_H_
#define BROKER_BASE_SYSTEM_PATHS_H_

#include <cstdint>
#include <string_view>

namespace openhook {

enum class SystemUse : std::uint8_t {
  kRead,       // read files, list directories
  kExecute,    // kRead, and execute
  kReadWrite,  // kRead, and write (devices)
  kInherited,  // names of the program's own descriptors: no rule, what they lead to decides
};

struct SystemPath {
  std::string_view prefix;
  SystemUse use;
};

inline constexpr SystemPath kSystemPaths[] = {
    {"/usr", SystemUse::kExecute},
    {"/bin", SystemUse::kExecute},
    {"/sbin", SystemUse::kExecute},
    {"/lib", SystemUse::kExecute},
    {"/lib32", SystemUse::kExecute},
    {"/lib64", SystemUse::kExecute},
    {"/libx32", SystemUse::kExecute},
    {"/proc", SystemUse::kRead},
    {"/sys", SystemUse::kRead},
    {"/run/qemu", SystemUse::kRead},
    {"/var/run/qemu", SystemUse::kRead},
    {"/dev/null", SystemUse::kReadWrite},
    {"/dev/zero", SystemUse::kReadWrite},
    {"/dev/full", SystemUse::kReadWrite},
    {"/dev/random", SystemUse::kRead},
    {"/dev/urandom", SystemUse::kRead},
    {"/dev/sgx_vepc", SystemUse::kRead},
    {"/dev/ptmx", SystemUse::kReadWrite},
    {"/dev/pts", SystemUse::kReadWrite},
    {"/dev/fd", SystemUse::kInherited},
    {"/dev/stdin", SystemUse::kInherited},
    {"/dev/stdout", SystemUse::kInherited},
    {"/dev/stderr", SystemUse::kInherited},
    {"/etc/alsa", SystemUse::kRead},
    {"/etc/fonts", SystemUse::kRead},
    {"/etc/gai.conf", SystemUse::kRead},
    {"/etc/glvnd", SystemUse::kRead},
    {"/etc/gnutls", SystemUse::kRead},
    {"/etc/group", SystemUse::kRead},
    {"/etc/host.conf", SystemUse::kRead},
    {"/etc/hosts", SystemUse::kRead},
    {"/etc/ld.so.cache", SystemUse::kRead},
    {"/etc/ld.so.preload", SystemUse::kRead},
    {"/etc/libnl", SystemUse::kRead},
    {"/etc/libnl-3", SystemUse::kRead},
    {"/etc/locale.alias", SystemUse::kRead},
    {"/etc/localtime", SystemUse::kRead},
    {"/etc/mtab", SystemUse::kRead},
    {"/etc/nsswitch.conf", SystemUse::kRead},
    {"/etc/passwd", SystemUse::kRead},
    {"/etc/protocols", SystemUse::kRead},
    {"/etc/qemu", SystemUse::kRead},
    {"/etc/resolv.conf", SystemUse::kRead},
    {"/etc/sasl", SystemUse::kRead},
    {"/etc/sasl2", SystemUse::kRead},
    {"/etc/selinux", SystemUse::kRead},
    {"/etc/services", SystemUse::kRead},
    {"/etc/ssl", SystemUse::kRead},
    {"/etc/timezone", SystemUse::kRead},
};

// True when `path` is `prefix` itself or something below it, by whole components.
constexpr bool IsBeneath(std::string_view path, std::string_view prefix) {
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

// `path` must be absolute; it is compared as spelled.
constexpr bool IsSystemPath(std::string_view path) {
  for (const SystemPath& system : kSystemPaths) {
    if (IsBeneath(path, system.prefix)) {
      return true;
    }
  }
  return false;
}

}  // namespace openhook

#endif  // BROKER_BASE_SYSTEM_PATHS_H_
