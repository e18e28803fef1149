// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/mounts.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <iterator>

#include "broker/base/canonical_path.h"
#include "broker/base/system_paths.h"
#include "broker/base/text.h"
#include "broker/base/unique_fd.h"

namespace openhook::fs {

namespace {

// Local, and complete by themselves. Not here although they look local: overlayfs and eCryptfs,
// which stand on other file systems; autofs, which waits for a daemon; and everything unknown.
// Numbers that linux/magic.h does not have are from the file systems' own headers in the kernel.
constexpr std::uint64_t kLocal[] = {
    EXT4_SUPER_MAGIC,  // ext2 and ext3 too
    XFS_SUPER_MAGIC,    BTRFS_SUPER_MAGIC, F2FS_SUPER_MAGIC,
    TMPFS_MAGIC,  // devtmpfs too
    RAMFS_MAGIC,        HUGETLBFS_MAGIC,   PROC_SUPER_MAGIC,     SYSFS_MAGIC,
    DEVPTS_SUPER_MAGIC, SQUASHFS_MAGIC,    EROFS_SUPER_MAGIC_V1, ISOFS_SUPER_MAGIC,
    MSDOS_SUPER_MAGIC,  EXFAT_SUPER_MAGIC, NILFS_SUPER_MAGIC,    REISERFS_SUPER_MAGIC,
    0x3153464a,  // JFS
    0x2fc12fc1,  // OpenZFS
    0xca451a4e,  // bcachefs
    UDF_SUPER_MAGIC,
};

// As many as the kernel follows (path_resolution(7)).
constexpr int kMaxSymlinks = 40;

bool IsLocal(const struct statfs& info) {
  // f_type is a signed word; the numbers are 32 bits wide.
  const auto type = static_cast<std::uint64_t>(info.f_type) & 0xffffffffU;
  return std::find(std::begin(kLocal), std::end(kLocal), type) != std::end(kLocal);
}

std::string ReadLink(int fd) {
  std::array<char, PATH_MAX> target;
  const ssize_t length = ::readlinkat(fd, "", target.data(), target.size());
  return length > 0 ? std::string(target.data(), static_cast<std::size_t>(length)) : std::string();
}

// The first component of `rest`, which is shortened by it.
std::string TakeName(std::string* rest) {
  rest->erase(0, rest->find_first_not_of('/'));
  const std::size_t slash = std::min(rest->find('/'), rest->size());
  std::string name = rest->substr(0, slash);
  rest->erase(0, slash);
  return name;
}

// Follows a path one name at a time, as the kernel does, and looks at each file system on the way.
class MountWalk {
 public:
  explicit MountWalk(std::string_view path) : rest_(path) {}

  Result<bool> MeetsOneThatMayBlock() {
    at_ = OpenRoot();
    for (std::string name; at_.IsValid(); name = TakeName(&rest_)) {
      if (!name.empty() && !Enter(name)) {
        break;
      }
      struct statfs info{};
      if (::fstatfs(at_.Get(), &info) != 0) {
        break;
      }
      if (!IsLocal(info)) {
        return true;
      }
      if (rest_.find_first_not_of('/') == std::string::npos) {
        return false;
      }
    }
    return FailErrno(errno, "cannot look at the file systems of the path");
  }

 private:
  static UniqueFd OpenRoot() { return UniqueFd(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)); }

  bool Enter(const std::string& name) {
    UniqueFd next(::openat(at_.Get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat info{};
    if (!next.IsValid() || ::fstat(next.Get(), &info) != 0) {
      return false;
    }
    if (!S_ISLNK(info.st_mode)) {
      at_ = std::move(next);
      return true;
    }
    const std::string target = ReadLink(next.Get());
    if (target.empty() || ++symlinks_ > kMaxSymlinks) {
      errno = ELOOP;
      return false;
    }
    if (target.front() == '/') {
      at_ = OpenRoot();
    }
    rest_ = target + "/" + rest_;
    return at_.IsValid();
  }

  UniqueFd at_;
  std::string rest_;
  int symlinks_ = 0;
};

std::string ReadMountInfo() {
  const UniqueFd fd(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 4096> part;
  ssize_t length = 0;
  while (fd.IsValid() && (length = ::read(fd.Get(), part.data(), part.size())) > 0) {
    text.append(part.data(), static_cast<std::size_t>(length));
  }
  return text;
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// The kernel writes blanks, newlines and backslashes as \ooo.
std::string Unescape(std::string_view word) {
  std::string text;
  for (std::size_t i = 0; i < word.size(); ++i) {
    unsigned byte = 0;
    if (word[i] == '\\' && i + 3 < word.size() &&
        std::from_chars(word.data() + i + 1, word.data() + i + 4, byte, 8).ec == std::errc()) {
      text.push_back(static_cast<char>(byte));
      i += 3;
    } else {
      text.push_back(word[i]);
    }
  }
  return text;
}

}  // namespace

Result<bool> MayBlock(std::string_view path) { return MountWalk(path).MeetsOneThatMayBlock(); }

// proc_pid_mountinfo(5): ID PARENT MAJOR:MINOR ROOT WHERE OPTIONS [OPTIONAL...] - TYPE SOURCE MORE
MountTable MountTable::Read() {
  MountTable table;
  const std::string text = ReadMountInfo();
  for (const std::string_view line : Split(text, '\n')) {
    const std::vector<std::string_view> words = Split(line, ' ');
    const auto dash = std::find(words.begin(), words.end(), "-");
    if (words.size() < 6 || words.end() - dash < 2) {
      continue;
    }
    Mount mount{0, Unescape(words[4]), std::string(*(dash + 1))};
    (void)std::from_chars(words[0].data(), words[0].data() + words[0].size(), mount.id);
    table.mounts_.push_back(std::move(mount));
  }
  return table;
}

const Mount* MountTable::Find(std::string_view path) const {
  const Mount* best = nullptr;
  for (const Mount& mount : mounts_) {
    // A later one of the same place lies on top.
    if ((mount.where == "/" || IsBeneath(path, mount.where)) &&
        (best == nullptr || mount.where.size() >= best->where.size())) {
      best = &mount;
    }
  }
  return best;
}

std::string DescribeFileSystemOf(std::string_view path) {
  const MountTable table = MountTable::Read();
  const Mount* mount = table.Find(path);
  return Quote(path) + (mount == nullptr ? std::string()
                                         : " (" + Escape(mount->type, 64) + ", mounted on " +
                                               Quote(mount->where) + ")");
}

}  // namespace openhook::fs
