// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/aa_helper/valid_path.h"

#include <algorithm>
#include <array>

namespace openhook::aa_helper {

namespace {

// Beginnings of strings, not of paths: "/lib" stands for /lib64, and for /libfoo as well.
constexpr std::array<std::string_view, 16> kRestricted = {
    "/bin/",           "/etc/",           "/lib",           "/lost+found/",
    "/proc/",          "/sbin/",          "/selinux/",      "/sys/",
    "/usr/bin/",       "/usr/lib",        "/usr/sbin/",     "/usr/share/",
    "/usr/local/bin/", "/usr/local/etc/", "/usr/local/lib", "/usr/local/sbin/"};
constexpr std::array<std::string_view, 11> kReadOnly = {"/boot/",
                                                        "/vmlinuz",
                                                        "/initrd",
                                                        "/usr/share/edk2/",
                                                        "/usr/share/OVMF/",
                                                        "/usr/share/ovmf/",
                                                        "/usr/share/AAVMF/",
                                                        "/usr/share/qemu-efi/",
                                                        "/usr/share/qemu-efi-aarch64/",
                                                        "/usr/lib/u-boot/",
                                                        "/usr/lib/riscv64-linux-gnu/opensbi"};
constexpr std::array<std::string_view, 3> kAllowed = {
    "/sys/devices/pci", "/sys/kernel/config/target/vhost", "/etc/libvirt-sandbox/services/"};

template <std::size_t kSize>
bool BeginsWithOne(std::string_view path, const std::array<std::string_view, kSize>& beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [&](std::string_view beginning) { return path.starts_with(beginning); });
}

}  // namespace

Validity ValidityOf(std::string_view path, std::string_view perms) {
  if (!path.starts_with('/')) {
    return Validity::kNotAbsolute;
  }
  if (path.find('"') != std::string_view::npos) {
    return Validity::kRestricted;
  }
  if (BeginsWithOne(path, kAllowed)) {
    return Validity::kValid;
  }
  if (BeginsWithOne(path, kReadOnly)) {
    const bool writes = perms.find('w') != std::string_view::npos;
    return writes ? Validity::kRestricted : Validity::kValid;
  }
  return BeginsWithOne(path, kRestricted) ? Validity::kRestricted : Validity::kValid;
}

}  // namespace openhook::aa_helper
