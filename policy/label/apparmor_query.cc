// SPDX-License-Identifier: LGPL-2.1-or-later

#include "policy/label/apparmor_query.h"

#include <sys/apparmor.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "broker/base/text.h"

namespace openhook::label {

namespace {

constexpr char kFileClass = 2;  // AA_CLASS_FILE, security/apparmor/include/apparmor.h

// The kernel's names of permissions (its file.h), which a rule's letters are mapped to when the
// profile is loaded: w gives write, create and delete, a gives append and create.
std::uint32_t KernelBit(FileUse use) {
  switch (use) {
    case FileUse::kRead:
      return AA_MAY_READ;
    case FileUse::kWrite:
      return AA_MAY_WRITE;
    case FileUse::kAppend:
      return AA_MAY_APPEND;
    case FileUse::kCreate:
      return AA_MAY_CREATE;
    case FileUse::kDelete:
      return AA_MAY_DELETE;
    case FileUse::kLock:
      return AA_MAY_LOCK;
  }
  return ~std::uint32_t{0};
}

std::uint32_t KernelMask(FileUses uses) {
  std::uint32_t mask = 0;
  for (const FileUse use : kAllFileUses) {
    mask |= uses.Has(use) ? KernelBit(use) : 0;
  }
  return mask;
}

Error QueryError(int sys_errno, std::string_view profile, std::string_view path) {
  const std::string question =
      "what the AppArmor profile " + Quote(profile) + " allows on " + Quote(path);
  switch (sys_errno) {
    case ENOENT:
      return {ErrorCode::kNotFound, ENOENT,
              "no AppArmor profile " + Quote(profile) +
                  " is loaded, so nothing can be said about " + Quote(path) + "; load it"};
    case EFBIG:
    case E2BIG:
      return {ErrorCode::kLimit, sys_errno,
              "the kernel cannot be asked " + question + ": the names are too long together"};
    default:
      return {ErrorCode::kUnavailable, sys_errno, "cannot ask the kernel " + question};
  }
}

// aa_query_file_path() of libapparmor 3.0.8 drops the path's last byte, because it does not count
// the byte of the class; so the question is written here.
Result<bool> Ask(std::string* question, std::uint32_t mask, std::string_view profile,
                 std::string_view path) {
  int allowed = 0;
  int audited = 0;
  if (::aa_query_label(mask, question->data(), question->size(), &allowed, &audited) != 0) {
    return tl::make_unexpected(QueryError(errno, profile, path));
  }
  return allowed != 0;
}

}  // namespace

Result<std::string> AppArmorFileQuestion(std::string_view profile, std::string_view path) {
  if (profile.empty() || profile.find('\0') != std::string_view::npos) {
    return Fail(ErrorCode::kInvalidArgument,
                Quote(profile) + " is not a name that an AppArmor profile can have");
  }
  if (path.empty() || path.front() != '/' || path.find('\0') != std::string_view::npos) {
    return Fail(ErrorCode::kInvalidArgument,
                Quote(path) + " is not an absolute path, so AppArmor has no answer about it");
  }
  std::string question(AA_QUERY_CMD_LABEL, AA_QUERY_CMD_LABEL_SIZE);
  question.reserve(question.size() + profile.size() + path.size() + 2);
  question += profile;
  question += '\0';
  question += kFileClass;
  question += path;
  return question;
}

Result<FileUses> AllowedByAppArmor(std::string_view profile, std::string_view path,
                                   FileUses asked) {
  auto question = AppArmorFileQuestion(profile, path);
  if (!question) {
    return tl::make_unexpected(question.error());
  }
  if (asked.Empty()) {
    return asked;  // the kernel takes no empty question
  }
  const auto all = Ask(&*question, KernelMask(asked), profile, path);
  if (!all) {
    return tl::make_unexpected(all.error());
  }
  if (*all) {
    return asked;
  }
  FileUses allowed;
  for (const FileUse use : kAllFileUses) {
    if (asked.Has(use)) {
      const auto one = Ask(&*question, KernelBit(use), profile, path);
      if (!one) {
        return tl::make_unexpected(one.error());
      }
      if (*one) {
        allowed.Add(use);
      }
    }
  }
  return allowed;
}

}  // namespace openhook::label
