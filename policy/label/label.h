// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Security modules, as the broker sees them: who asks, and may they, by what the kernel has in
// force. One back end is chosen at start (choose.h), and says at which level it works; that nothing
// is checked is a level like the others, and is shown, never a fallback. A back end decides what to
// compare: AppArmor names paths, another module may want to see the file itself.

#ifndef POLICY_LABEL_LABEL_H_
#define POLICY_LABEL_LABEL_H_

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"
#include "policy/label/file_use.h"

namespace openhook::label {

enum class Module : std::uint8_t { kNone, kAppArmor, kSelinux };
std::string_view ToString(Module module);

enum class Checked : std::uint8_t {
  kNothing,       // peers are known by their uid alone
  kPeer,          // by their label too; files are left to the kernel
  kPeerAndFiles,  // and the kernel is asked about each file before it is opened
};
std::string_view ToString(Checked checked);

// What is in force and what is made of it.
struct Level {
  Module module = Module::kNone;
  Checked checked = Checked::kNothing;
  std::string demanded;  // the label that peers must have; empty where none is demanded
  std::string sentence;  // the whole for people, in one line
};

// What the kernel kept of a peer when it connected.
struct PeerEvidence {
  pid_t pid = 0;
  const UniqueFd* pidfd = nullptr;          // invalid: the process has ended
  std::optional<std::string> socket_label;  // SO_PEERSEC; absent where the kernel has none
};

// The label of one peer, for as long as it is connected.
class PeerLabel {
 public:
  virtual ~PeerLabel() = default;
  // As the kernel worded it at first, for logs; empty where it gives none.
  [[nodiscard]] virtual const std::string& text() const = 0;
  // Does the peer still have the label that is demanded? Looks anew each time, as a process may
  // change its label after it connected. Errors: kPermission; which label met what, and the remedy.
  [[nodiscard]] virtual Result<void> Confirm() const = 0;
  // May it use the file of this name so? The name is the one by which the broker opens the file,
  // without symlinks, as the kernel will name it. Errors: kPermission; label, path, use, remedy.
  [[nodiscard]] virtual Result<void> MayUse(std::string_view path, FileUses uses) const = 0;
};

class BackEnd {
 public:
  virtual ~BackEnd() = default;
  [[nodiscard]] virtual const Level& level() const = 0;
  // Never fails: of a peer that may not be served Confirm() says why.
  [[nodiscard]] virtual std::unique_ptr<PeerLabel> Identify(const PeerEvidence& evidence) const = 0;
  // A peer as it is demanded, for questions about files without a peer.
  [[nodiscard]] virtual std::unique_ptr<PeerLabel> Demanded() const = 0;
};

}  // namespace openhook::label

#endif  // POLICY_LABEL_LABEL_H_
