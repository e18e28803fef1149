// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A table of definitions and their plans, line by line, as test cases.

#ifndef TESTS_UNIT_DOMAIN_ELEMENT_CASES_H_
#define TESTS_UNIT_DOMAIN_ELEMENT_CASES_H_

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/domain/plan_text.h"

namespace openhook::domain {

using Lines = std::vector<std::string>;

struct Case {
  const char* name;
  std::string xml;
  Lines expected;
};

// What a list of the tests says of one, which would else be the bytes of its pointers.
inline void PrintTo(const Case& shown, std::ostream* out) { *out << shown.name; }

inline std::string InOs(std::string_view inside) {
  return "<domain type='qemu'><name>vm1</name><os>" + std::string(inside) + "</os></domain>";
}

inline std::string Top(std::string_view inside) {
  return "<domain type='qemu'><name>vm1</name>" + std::string(inside) + "</domain>";
}

inline std::string Kvm(std::string_view devices) {
  return "<domain type='kvm'><name>vm1</name><devices>" + std::string(devices) +
         "</devices></domain>";
}

// Every running machine has it.
inline constexpr const char* kKey =
    "read file /var/lib/libvirt/qemu/domain-7-vm1/master-key.aes [master key] if-there";

class Elements : public testing::TestWithParam<Case> {};

inline std::string NameOf(const testing::TestParamInfo<Case>& info) { return info.param.name; }

}  // namespace openhook::domain

#endif  // TESTS_UNIT_DOMAIN_ELEMENT_CASES_H_
