// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Opens the members of a backing chain by the rules of broker/fs, with this program's own rights,
// and remembers which file each one was, so that the broker can be told to grant that very file.

#ifndef BROKER_CHAIN_PATH_OPENER_H_
#define BROKER_CHAIN_PATH_OPENER_H_

#include <map>
#include <string>

#include "broker/base/file_identity.h"
#include "broker/image/member_opener.h"

namespace openhook::chain {

class PathOpener final : public image::MemberOpener {
 public:
  // `cwd`: where a relative spelling begins; absolute.
  explicit PathOpener(std::string cwd) : cwd_(std::move(cwd)) {}

  // Symlinks are followed, as they are when a grant is made. Only regular files and block devices
  // are opened for reading, and never without O_NONBLOCK.
  Result<image::OpenedMember> Open(std::string_view spelling) override;

  // Of a member that Open() returned; null for any other path.
  [[nodiscard]] const FileIdentity* Find(const CanonicalPath& path) const;

 private:
  std::string cwd_;
  std::map<CanonicalPath, FileIdentity> opened_;
};

}  // namespace openhook::chain

#endif  // BROKER_CHAIN_PATH_OPENER_H_
