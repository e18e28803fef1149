// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/proc_fd.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <array>
#include <charconv>
#include <climits>

#include "broker/base/text.h"

namespace openhook::fs {

namespace {

Result<UniqueFd> OpenProcSelfFd() {
  UniqueFd fd(::open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd.IsValid()) {
    return FailErrno(errno, "cannot open /proc/self/fd (is procfs mounted?)");
  }
  struct statfs info{};
  if (::fstatfs(fd.Get(), &info) != 0 || info.f_type != PROC_SUPER_MAGIC) {
    return Fail(ErrorCode::kUnavailable,
                "/proc is not a procfs: mount one, the broker reopens descriptors through it");
  }
  return fd;
}

Result<UniqueFd>& Kept() {
  static Result<UniqueFd> opened = OpenProcSelfFd();
  return opened;
}

Result<int> ProcSelfFd() {
  const Result<UniqueFd>& opened = Kept();
  if (!opened) {
    return tl::make_unexpected(opened.error());
  }
  return opened->Get();
}

// "17" for descriptor 17, NUL-terminated.
class Decimal {
 public:
  explicit Decimal(int number) { std::to_chars(text_.data(), text_.data() + text_.size(), number); }
  [[nodiscard]] const char* c_str() const { return text_.data(); }

 private:
  std::array<char, 16> text_{};
};

}  // namespace

Result<void> PrepareProcFd() {
  const auto fd = ProcSelfFd();
  if (!fd) {
    return tl::make_unexpected(fd.error());
  }
  return {};
}

Result<void> RenewProcFd() {
  if (Kept()) {
    // Its number may belong to something else by now.
    (void)Kept()->Release();
  }
  Kept() = OpenProcSelfFd();
  return PrepareProcFd();
}

Result<IoFd> Reopen(const PathFd& path, int flags) {
  const auto proc = ProcSelfFd();
  if (!proc) {
    return tl::make_unexpected(proc.error());
  }
  UniqueFd fd(::openat(*proc, Decimal(path.Get()).c_str(), flags | O_CLOEXEC | O_NOCTTY));
  if (!fd.IsValid()) {
    return FailErrno(errno, "cannot open");
  }
  return IoFd(std::move(fd));
}

Result<CanonicalPath> RealPath(const PathFd& path) {
  const auto proc = ProcSelfFd();
  if (!proc) {
    return tl::make_unexpected(proc.error());
  }
  std::array<char, PATH_MAX> name;
  const ssize_t length = ::readlinkat(*proc, Decimal(path.Get()).c_str(), name.data(), name.size());
  if (length < 0) {
    return FailErrno(errno, "cannot read the name of a descriptor");
  }
  auto parsed =
      CanonicalPath::Parse(std::string_view(name.data(), static_cast<std::size_t>(length)));
  if (!parsed) {
    return Fail(ErrorCode::kConflict, "the file has no path (" + parsed.error().context + ")");
  }
  return parsed;
}

}  // namespace openhook::fs
