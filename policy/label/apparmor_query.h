// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a loaded AppArmor profile allows on a path, asked of the kernel: its own answer, by its own
// matcher, at this moment. Needs no privilege, only securityfs. The path is compared as the kernel
// would name the file; it need not exist.

#ifndef POLICY_LABEL_APPARMOR_QUERY_H_
#define POLICY_LABEL_APPARMOR_QUERY_H_

#include <string>
#include <string_view>

#include "broker/base/result.h"
#include "policy/label/file_use.h"

namespace openhook::label {

// Which of `asked` the profile allows on `path`; one question when it allows all, and one more for
// each use when it does not. Explicit deny rules count; the profile's mode does not (a profile in
// complain mode answers as if it were enforced). Errors: kNotFound when no profile of this name is
// loaded; kUnavailable when the kernel cannot be asked; kLimit for names too long for a question;
// kInvalidArgument for a name with a NUL, an empty name, or a relative path.
Result<FileUses> AllowedByAppArmor(std::string_view profile, std::string_view path, FileUses asked);

// The question as libapparmor wants it: "label\0PROFILE\0\2PATH". Room for libapparmor's own prefix
// is part of it. Errors: kInvalidArgument, as above.
Result<std::string> AppArmorFileQuestion(std::string_view profile, std::string_view path);

}  // namespace openhook::label

#endif  // POLICY_LABEL_APPARMOR_QUERY_H_
