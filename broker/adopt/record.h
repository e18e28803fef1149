// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What is kept of an adopted domain, in the directory of adoptions (/etc/openhook/domains):
//   UUID.conf          the domain is adopted. Lines "key = value", options of its openhookd, which
//                      openhook-hook reads
//   UUID.original.xml  the definition as it was, for releasing and for people; root's alone, since
//                      it may hold passwords
//   UUID.record        what else releasing needs (image owners); root's alone
// Each is replaced whole, so a reader never sees half of one.

#ifndef BROKER_ADOPT_RECORD_H_
#define BROKER_ADOPT_RECORD_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::adopt {

// An image that was given to root, and whose it was.
struct SecuredImage {
  std::string path;
  std::uint64_t ino = 0;  // without the device, whose number another boot may change
  uid_t uid = 0;
  gid_t gid = 0;
  mode_t mode = 0;
};

struct Record {
  std::string wrapper;         // as the definition names it
  std::string apparmor_label;  // empty: libvirt's own stays
  std::vector<SecuredImage> images;
};

// "key = value", options of openhookd.
using Settings = std::vector<std::pair<std::string, std::string>>;

class Adoptions {
 public:
  explicit Adoptions(std::string directory) : directory_(std::move(directory)) {}

  // Makes the directory; nobody else adopts or releases while the descriptor is open.
  // Errors: kConflict when somebody does.
  [[nodiscard]] Result<UniqueFd> Lock() const;

  [[nodiscard]] Result<bool> IsAdopted(const std::string& uuid) const;
  // UUIDs of all that are adopted.
  [[nodiscard]] Result<std::vector<std::string>> All() const;

  // Absent: there is none.
  [[nodiscard]] Result<std::optional<std::string>> Original(const std::string& uuid) const;
  [[nodiscard]] Result<std::optional<Record>> RecordOf(const std::string& uuid) const;
  [[nodiscard]] Result<std::optional<Settings>> SettingsOf(const std::string& uuid) const;

  [[nodiscard]] Result<void> SetOriginal(const std::string& uuid, const std::string& xml) const;
  [[nodiscard]] Result<void> SetRecord(const std::string& uuid, const Record& record) const;
  // This makes the domain an adopted one, and Forget() ends it.
  [[nodiscard]] Result<void> SetSettings(const std::string& uuid, const Settings& settings) const;
  [[nodiscard]] Result<void> Forget(const std::string& uuid) const;

  [[nodiscard]] std::string ConfPath(const std::string& uuid) const;
  [[nodiscard]] std::string OriginalPath(const std::string& uuid) const;

 private:
  [[nodiscard]] std::string RecordPath(const std::string& uuid) const;

  std::string directory_;
};

}  // namespace openhook::adopt

#endif  // BROKER_ADOPT_RECORD_H_
