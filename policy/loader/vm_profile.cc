// SPDX-License-Identifier: LGPL-2.1-or-later

#include "policy/loader/vm_profile.h"

#include <sys/stat.h>

#include <utility>

#include "broker/base/limits.h"
#include "broker/fs/text_file.h"
#include "policy/loader/compiler.h"

namespace openhook::loader {

namespace {

constexpr mode_t kReadableByAll = S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH;
constexpr const char* kHeading =
    "# Made by openhook-loader from the whitelist of this VM, and again with each change of it:\n"
    "# edit openhook/TEMPLATE.qemu, local/abstractions/openhook-qemu or local/libvirt-UUID "
    "instead.\n";

}  // namespace

Result<VmProfile::Loaded> VmProfile::Make(const apparmor::Rules& rules) const {
  const auto text = fs::ReadTextFile(place_.Template(), limits::kMaxTemplateBytes);
  if (!text) {
    return tl::make_unexpected(text.error());
  }
  auto profile = apparmor::RenderProfile(*text, place_.vm, rules);
  if (!profile) {
    return tl::make_unexpected(profile.error());
  }
  auto compiled = Compile(*profile, place_.apparmor_dir);
  if (!compiled) {
    return tl::make_unexpected(compiled.error());
  }
  return Loaded{rules, kHeading + *profile, std::move(*compiled), std::nullopt};
}

Result<void> VmProfile::Enforce(Loaded* wanted) {
  const std::string name = apparmor::ProfileName(place_.vm.uuid);
  if (auto loaded = kernel_->Load(wanted->compiled); !loaded) {
    return loaded;
  }
  if (auto verified = kernel_->Verify(name, wanted->rules); !verified) {
    return verified;
  }
  auto hash = kernel_->HashOf(name);
  wanted->hash = hash ? std::move(*hash) : std::nullopt;
  return {};
}

Result<void> VmProfile::Set(const apparmor::Rules& rules) {
  auto wanted = Make(rules);
  if (!wanted) {
    return tl::make_unexpected(wanted.error());
  }
  if (auto written = fs::ReplaceTextFile(place_.File(), wanted->text, kReadableByAll); !written) {
    return written;
  }
  if (auto enforced = Enforce(&*wanted); !enforced) {
    PutBack();
    return enforced;
  }
  loaded_ = std::move(*wanted);
  return {};
}

// As well as it goes: the error that led here is the one to report.
void VmProfile::PutBack() {
  if (loaded_) {
    (void)fs::ReplaceTextFile(place_.File(), loaded_->text, kReadableByAll);
    (void)Enforce(&*loaded_);
  }
}

// By the kernel's hash, which tells any other profile from ours, also one that gives more. Where
// there are no hashes, only one that gives less is noticed.
Result<VmProfile::Finding> VmProfile::PutRight() {
  if (!loaded_) {
    return Finding::kOurs;
  }
  const std::string name = apparmor::ProfileName(place_.vm.uuid);
  const auto hash = kernel_->HashOf(name);
  if (!hash && hash.error().code != ErrorCode::kUnsupported) {
    return tl::make_unexpected(hash.error());
  }
  const bool removed = hash && !*hash;
  const bool ours =
      hash ? *hash == loaded_->hash : kernel_->Verify(name, loaded_->rules).has_value();
  if (ours && !removed) {
    return Finding::kOurs;
  }
  if (auto enforced = Enforce(&*loaded_); !enforced) {
    return tl::make_unexpected(enforced.error());
  }
  return removed ? Finding::kRemoved : Finding::kReplaced;
}

}  // namespace openhook::loader
