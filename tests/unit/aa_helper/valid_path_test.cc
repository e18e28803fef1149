// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/aa_helper/valid_path.h"

#include <gtest/gtest.h>

namespace openhook::aa_helper {
namespace {

struct Case {
  const char* path;
  const char* perms;
  Validity validity;
};

// What virt-aa-helper 9.0 answers.
constexpr Case kCases[] = {
    {"/srv/a.img", "rwk", Validity::kValid},
    {"/dev/sda", "rwk", Validity::kValid},
    {"/sys/devices/pci0000:00/x", "rw", Validity::kValid},
    {"a.img", "rwk", Validity::kNotAbsolute},
    {"/srv/a\"b", "r", Validity::kRestricted},
    {"/etc/passwd", "r", Validity::kRestricted},
    {"/proc/1/mem", "r", Validity::kRestricted},
    {"/sys/kernel/x", "r", Validity::kRestricted},
    {"/libfoo/x.img", "rwk", Validity::kRestricted},
    {"/usr/library/x.img", "rwk", Validity::kRestricted},
    {"/usr/local/lib/x", "r", Validity::kRestricted},
    {"/boot/vmlinuz", "r", Validity::kValid},
    {"/boot/vmlinuz", "rwk", Validity::kRestricted},
    {"/usr/share/OVMF/OVMF_CODE.fd", "rk", Validity::kValid},
    {"/usr/share/OVMF/OVMF_VARS.fd", "rwk", Validity::kRestricted},
    {"/usr/share/x", "r", Validity::kRestricted},
};

TEST(ValidPath, IsThatOfTheOriginal) {
  for (const Case& one : kCases) {
    EXPECT_EQ(ValidityOf(one.path, one.perms), one.validity) << one.path << " " << one.perms;
  }
}

}  // namespace
}  // namespace openhook::aa_helper
