// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Thousands of random grants and revokes against the shortest statement of what a whitelist is: the
// union of what the live leases give.

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <string>
#include <utility>

#include "tests/unit/whitelist/sample_grants.h"

namespace openhook::whitelist {
namespace {

// (lease, file) -> may it be written.
using Model = std::map<std::pair<std::string, int>, bool>;

struct Rights {
  bool readable = false;
  bool writable = false;
};

Rights UnionOfLeases(const Model& model, int file) {
  Rights rights;
  for (const auto& [key, write] : model) {
    if (key.second == file) {
      rights.readable = true;
      rights.writable = rights.writable || write;
    }
  }
  return rights;
}

void ExpectSame(const Whitelist& list, const Model& model, int files) {
  for (int file = 0; file < files; ++file) {
    const Rights expected = UnionOfLeases(model, file);
    const Entry* entry = list.Find("/f" + std::to_string(file)).entry;
    RC_ASSERT((entry != nullptr) == expected.readable);
    RC_ASSERT((entry != nullptr && entry->writable) == expected.writable);
  }
}

RC_GTEST_PROP(Whitelist, IsTheUnionOfItsLiveLeases, ()) {
  constexpr int kFiles = 5;
  Whitelist list;
  Model model;
  const auto steps = *rc::gen::inRange(1, 60);
  for (int step = 0; step < steps; ++step) {
    const std::string lease = "job:" + std::to_string(*rc::gen::inRange(0, 4));
    const int file = *rc::gen::inRange(0, kFiles);
    const std::string path = "/f" + std::to_string(file);
    switch (*rc::gen::inRange(0, 3)) {
      case 0: {
        const bool write = *rc::gen::arbitrary<bool>();
        const auto access = write ? GrantAccess::kReadWrite : GrantAccess::kRead;
        RC_ASSERT(Give(&list, {File(path, access, static_cast<std::uint64_t>(file) + 1, lease)})
                      .has_value());
        model[{lease, file}] = write;
        break;
      }
      case 1:
        RC_ASSERT(Take(&list, lease, {path}).has_value() == (model.erase({lease, file}) == 1));
        break;
      default: {
        const auto gone =
            std::erase_if(model, [&](const auto& one) { return one.first.first == lease; });
        RC_ASSERT(Take(&list, lease).has_value() == (gone != 0));
        break;
      }
    }
    ExpectSame(list, model, kFiles);
    RC_ASSERT(list.grants().size() == model.size());
  }
}

}  // namespace
}  // namespace openhook::whitelist
