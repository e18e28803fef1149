// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Is this a build of a sanitizer lane? The sanitizers' run times need memory and system calls that
// our programs do not, so such a build leaves out what would take these away.

#ifndef BROKER_SANDBOX_SANITIZED_H_
#define BROKER_SANDBOX_SANITIZED_H_

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

namespace openhook::sandbox {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace openhook::sandbox

#endif  // BROKER_SANDBOX_SANITIZED_H_
