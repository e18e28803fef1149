// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/adopt/host_feed.h"

#include "broker/adopt/qemu_conf.h"
#include "broker/base/text.h"
#include "broker/fs/directory.h"
#include "broker/fs/file_facts.h"
#include "broker/fs/program_file.h"
#include "broker/fs/text_file.h"

namespace openhook::adopt {

namespace {

constexpr std::size_t kConfBytes = std::size_t{1} << 20;
constexpr std::string_view kKey = "lock_manager";
constexpr std::string_view kDriver = "openhook";
constexpr mode_t kHookDirectoryMode = 0755;

using Lines = std::vector<std::string>;

Result<void> CheckInstalled(const FeedPaths& paths) {
  // libvirtd does not start when qemu.conf names a driver that is not there.
  for (const std::string& file : {paths.lock_driver, paths.hook}) {
    if (!fs::FactsOf(file)) {
      return Fail(ErrorCode::kNotFound,
                  Quote(file) +
                      " is not installed; 'cmake --install build --prefix /usr' puts "
                      "openhook where libvirt looks for it");
    }
  }
  return {};
}

Result<std::string> ReadConf(const FeedPaths& paths) {
  auto text = fs::ReadTextFile(paths.QemuConf(), kConfBytes);
  if (!text && text.error().code == ErrorCode::kNotFound) {
    return Fail(ErrorCode::kNotFound, Quote(paths.QemuConf()) +
                                          " is not there; install libvirt's daemon (Debian: "
                                          "libvirt-daemon-system)");
  }
  return text;
}

Result<void> SetConf(const FeedPaths& paths, const std::string& before, const std::string& after,
                     Lines* done) {
  if (before == after) {
    return {};
  }
  const auto facts = fs::FactsOf(paths.QemuConf());
  done->push_back(Quote(paths.QemuConf()) + ": " + std::string(kKey) + " is " +
                  Quote(QemuConfValue(after, kKey).value_or("")));
  return fs::ReplaceTextFile(paths.QemuConf(), after, facts ? facts->mode : 0600);
}

Result<void> EnsureDirectories(const FeedPaths& paths) {
  const std::string hooks = paths.libvirt_dir + "/hooks";
  for (const std::string& directory : {hooks, hooks + "/qemu.d"}) {
    if (fs::FactsOf(directory)) {
      continue;
    }
    if (auto made = fs::EnsurePrivateDirectory(directory, kHookDirectoryMode); !made) {
      return made;
    }
  }
  return {};
}

Result<void> SetHook(const FeedPaths& paths, Lines* done) {
  if (auto made = EnsureDirectories(paths); !made) {
    return made;
  }
  const bool there = fs::LinkTarget(paths.HookLink()).value_or("") == paths.hook;
  if (there) {
    return {};
  }
  done->push_back(Quote(paths.HookLink()) + ": a link to " + Quote(paths.hook));
  return fs::ReplaceLink(paths.HookLink(), paths.hook);
}

Result<void> RemoveHook(const FeedPaths& paths, Lines* done) {
  // Only a link is ours.
  if (!fs::LinkTarget(paths.HookLink())) {
    return {};
  }
  done->push_back(Quote(paths.HookLink()) + ": removed");
  return fs::RemoveFile(paths.HookLink());
}

}  // namespace

Result<Lines> EnableFeed(const FeedPaths& paths) {
  Lines done;
  const auto enabled =
      CheckInstalled(paths)
          .and_then([&] { return ReadConf(paths); })
          .and_then([&](const std::string& conf) -> Result<void> {
            auto set = SetHook(paths, &done);
            return set ? SetConf(paths, conf, WithOurLine(conf, kKey, kDriver), &done) : set;
          });
  return enabled ? Result<Lines>(std::move(done)) : tl::make_unexpected(enabled.error());
}

Result<Lines> DisableFeed(const FeedPaths& paths) {
  Lines done;
  // The line first: without the hook alone, adopted machines would start and get nothing.
  const auto disabled = ReadConf(paths).and_then([&](const std::string& conf) -> Result<void> {
    auto set = SetConf(paths, conf, WithoutOurLine(conf), &done);
    return set ? RemoveHook(paths, &done) : set;
  });
  return disabled ? Result<Lines>(std::move(done)) : tl::make_unexpected(disabled.error());
}

}  // namespace openhook::adopt
