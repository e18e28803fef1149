// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/base/forbidden_paths.h"

#include <iterator>
#include <string_view>

#include "broker/base/system_paths.h"
#include "broker/base/text.h"

namespace openhook {

namespace {

constexpr std::string_view kForbiddenTrees[] = {
    "/proc", "/sys", "/etc", "/boot", "/dev/mem", "/dev/kmem", "/dev/port", "/root/.ssh",
};
constexpr std::string_view kForbiddenComponents[] = {"/.ssh/", "/.gnupg/"};

}  // namespace

Result<void> CheckNotForbidden(const CanonicalPath& path, const std::vector<std::string>& more) {
  std::vector<std::string_view> trees(std::begin(kForbiddenTrees), std::end(kForbiddenTrees));
  trees.insert(trees.end(), more.begin(), more.end());
  for (const std::string_view tree : trees) {
    if (IsBeneath(path.str(), tree)) {
      return Fail(ErrorCode::kPermission, "nothing below " + Quote(tree) +
                                              " is ever given to a VM; " + Quote(path.str()) +
                                              " is there");
    }
  }
  for (const std::string_view component : kForbiddenComponents) {
    if (path.str().find(component) != std::string::npos) {
      return Fail(ErrorCode::kPermission,
                  "keys of users are never given to a VM: " + Quote(path.str()));
    }
  }
  return {};
}

}  // namespace openhook
