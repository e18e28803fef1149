// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The simplest opener of real files, for tests against images that qemu-img made. The broker's own
// one is careful where this one trusts.

#ifndef TESTS_UNIT_IMAGE_POSIX_OPENER_H_
#define TESTS_UNIT_IMAGE_POSIX_OPENER_H_

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "broker/image/member_opener.h"

namespace openhook::image {

class PosixOpener final : public MemberOpener {
 public:
  Result<OpenedMember> Open(std::string_view spelling) override {
    const std::string name(spelling);
    UniqueFd fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd.IsValid()) {
      return FailErrno(errno, "open " + name);
    }
    struct stat status{};
    const std::unique_ptr<char, decltype(&std::free)> real(::realpath(name.c_str(), nullptr),
                                                           &std::free);
    if (::fstat(fd.Get(), &status) != 0 || real == nullptr) {
      return FailErrno(errno, "stat " + name);
    }
    auto path = CanonicalPath::Parse(real.get());
    if (!path) {
      return tl::make_unexpected(path.error());
    }
    const MemberKind kind = S_ISREG(status.st_mode) ? MemberKind::kRegularFile : MemberKind::kOther;
    return OpenedMember{*path, MemberIdentity{kind, status.st_dev, status.st_ino},
                        std::make_unique<FdByteSource>(IoFd(std::move(fd)))};
  }
};

}  // namespace openhook::image

#endif  // TESTS_UNIT_IMAGE_POSIX_OPENER_H_
