// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A FUSE file system that passes everything on to a directory, until it is told to say nothing:
//
//   silent_fs BACKING MOUNTPOINT
//
// While the file `silent-OPERATION` is in BACKING/.control (operations: getattr, open, create,
// flush, unlink), each such request on a file waits. That is a server which has taken the request
// and does not answer: the kernel then lets nobody go who waits for it, not even with SIGKILL.
// Stopping the process (SIGSTOP) is one that takes no request; that wait a SIGKILL ends.

#define FUSE_USE_VERSION 31

#include <dirent.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace {

std::string backing;

std::string Behind(const char* path) { return backing + path; }

int Answer(int result) { return result < 0 ? -errno : 0; }

void WaitWhileSilent(const char* operation, const char* path) {
  // The way to a file has to be passable for the file itself to be asked for.
  if (std::string_view(path).find(".img") == std::string_view::npos) {
    return;
  }
  const std::string mark = backing + "/.control/silent-" + operation;
  while (::access(mark.c_str(), F_OK) == 0) {
    ::usleep(20'000);
  }
}

int GetAttributes(const char* path, struct stat* info, fuse_file_info*) {
  WaitWhileSilent("getattr", path);
  return Answer(::lstat(Behind(path).c_str(), info));
}

int Open(const char* path, fuse_file_info* file) {
  WaitWhileSilent("open", path);
  const int fd = ::open(Behind(path).c_str(), file->flags & ~(O_CREAT | O_EXCL));
  file->fh = static_cast<std::uint64_t>(fd);
  return Answer(fd);
}

int Create(const char* path, mode_t mode, fuse_file_info* file) {
  WaitWhileSilent("create", path);
  const int fd = ::open(Behind(path).c_str(), file->flags, mode);
  file->fh = static_cast<std::uint64_t>(fd);
  return Answer(fd);
}

int Flush(const char* path, fuse_file_info*) {
  WaitWhileSilent("flush", path);
  return 0;
}

int Release(const char*, fuse_file_info* file) {
  ::close(static_cast<int>(file->fh));
  return 0;
}

int Read(const char*, char* buffer, std::size_t size, off_t offset, fuse_file_info* file) {
  const ssize_t got = ::pread(static_cast<int>(file->fh), buffer, size, offset);
  return got < 0 ? -errno : static_cast<int>(got);
}

int Write(const char*, const char* data, std::size_t size, off_t offset, fuse_file_info* file) {
  const ssize_t put = ::pwrite(static_cast<int>(file->fh), data, size, offset);
  return put < 0 ? -errno : static_cast<int>(put);
}

int Sync(const char*, int, fuse_file_info* file) {
  return Answer(::fsync(static_cast<int>(file->fh)));
}

int Truncate(const char* path, off_t size, fuse_file_info*) {
  return Answer(::truncate(Behind(path).c_str(), size));
}

int ChangeMode(const char* path, mode_t mode, fuse_file_info*) {
  return Answer(::chmod(Behind(path).c_str(), mode));
}

int Unlink(const char* path) {
  WaitWhileSilent("unlink", path);
  return Answer(::unlink(Behind(path).c_str()));
}

int ReadDirectory(const char* path, void* buffer, fuse_fill_dir_t fill, off_t, fuse_file_info*,
                  fuse_readdir_flags) {
  DIR* directory = ::opendir(Behind(path).c_str());
  if (directory == nullptr) {
    return -errno;
  }
  while (const dirent* entry = ::readdir(directory)) {
    (void)fill(buffer, entry->d_name, nullptr, 0, fuse_fill_dir_flags{});
  }
  ::closedir(directory);
  return 0;
}

int FileSystem(const char* path, struct statvfs* info) {
  return Answer(::statvfs(Behind(path).c_str(), info));
}

// Nothing is remembered for longer than its answer: every look at a name reaches us.
void* Initialize(fuse_conn_info*, fuse_config* config) {
  config->use_ino = 1;
  config->entry_timeout = 0;
  config->attr_timeout = 0;
  config->negative_timeout = 0;
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    return 2;
  }
  backing = argv[1];
  ::umask(0);
  fuse_operations operations{};
  operations.init = Initialize;
  operations.getattr = GetAttributes;
  operations.open = Open;
  operations.create = Create;
  operations.flush = Flush;
  operations.release = Release;
  operations.read = Read;
  operations.write = Write;
  operations.fsync = Sync;
  operations.truncate = Truncate;
  operations.chmod = ChangeMode;
  operations.unlink = Unlink;
  operations.readdir = ReadDirectory;
  operations.statfs = FileSystem;
  std::string program = "silent_fs";
  std::string foreground = "-f";
  std::string option = "-osubtype=silent,allow_other,default_permissions";
  char* arguments[] = {program.data(), foreground.data(), option.data(), argv[2], nullptr};
  return fuse_main(4, arguments, &operations, nullptr);
}
