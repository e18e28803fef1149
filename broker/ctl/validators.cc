// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/validators.h"

#include <fmt/format.h>

#include <functional>

#include "broker/base/canonical_path.h"
#include "broker/base/limits.h"
#include "broker/base/text.h"
#include "broker/ctl/locate.h"

namespace openhook::ctl {

namespace {

// CLI11 takes an empty string as "fine" and anything else as the message.
using Check = std::function<std::string(std::string&)>;

// Without a description: the help shows the option's type name.
CLI::Validator Make(const Check& check) { return {check, ""}; }

std::string CheckLength(const std::string& text, std::size_t limit, std::string_view what) {
  if (text.empty()) {
    return fmt::format("{} must not be empty", what);
  }
  if (text.size() > limit) {
    return fmt::format("{} has {} bytes; at most {} are allowed", what, text.size(), limit);
  }
  return {};
}

}  // namespace

CLI::Validator UuidValidator() {
  return Make([](std::string& text) {
    return IsUuid(text) ? std::string()
                        : fmt::format(
                              "{} is not a UUID; 'virsh domuuid NAME' tells the one of a "
                              "libvirt domain",
                              Quote(text));
  });
}

CLI::Validator AbsolutePathValidator() {
  return Make([](std::string& text) {
    if (text.empty() || text.front() != '/') {
      return fmt::format(
          "{} is not an absolute path; the broker does not know your working "
          "directory, so give the name from '/' on",
          Quote(text));
    }
    const auto clean = LexicalClean(text, "/");
    return clean ? std::string() : clean.error().Message();
  });
}

CLI::Validator LeaseNameValidator() {
  return Make([](std::string& text) {
    return CheckLength(text, limits::kMaxLeaseNameBytes, "the name of a lease");
  });
}

CLI::Validator SourceValidator() {
  return Make([](std::string& text) {
    return CheckLength(text, limits::kMaxSourceBytes, "the source of a grant");
  });
}

}  // namespace openhook::ctl
