// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/doctor/libvirt.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "broker/adopt/qemu_conf.h"
#include "broker/base/text.h"
#include "broker/fs/file_facts.h"
#include "broker/fs/program_file.h"
#include "broker/fs/text_file.h"

namespace openhook::doctor {

namespace {

constexpr std::size_t kConfBytes = std::size_t{1} << 20;
constexpr const char* kEnable = "openhookctl host enable";
constexpr const char* kRestart = "systemctl restart libvirtd (running machines go on)";
// The first version whose hooks are in a directory; what the tests run is 9.0.
constexpr int kOldestMajor = 9;

std::string DriverPath(const HostPaths& paths) { return paths.lock_drivers + "/openhook.so"; }

Finding CheckDriver(const HostPaths& paths, const std::string& manager) {
  const std::string driver = DriverPath(paths);
  const bool there = fs::FactsOf(driver).has_value();
  if (manager != "openhook") {
    return {Level::kProblem, "lock driver",
            Quote(paths.qemu_conf) + " does not name it" +
                (manager.empty() ? "" : " (lock_manager is " + Quote(manager) + ")") +
                ": brokers do not hear of snapshots, media and other new images",
            kEnable};
  }
  if (!there) {
    return {Level::kProblem, "lock driver",
            Quote(driver) + " is missing, and libvirtd does not start without it",
            "install openhook again, or 'openhookctl host disable'"};
  }
  return {Level::kOk, "lock driver", Quote(driver) + ", named in " + Quote(paths.qemu_conf), ""};
}

Finding CheckHook(const HostPaths& paths) {
  if (!fs::FactsOf(paths.hook)) {
    return {Level::kProblem, "hook",
            Quote(paths.hook) + " is missing: nobody starts the brokers of adopted machines",
            kEnable};
  }
  if (!fs::IsProgram(paths.hook)) {
    return {Level::kProblem, "hook", Quote(paths.hook) + " cannot be executed", kEnable};
  }
  return {Level::kOk, "hook", Quote(paths.hook), ""};
}

// The pid file is written when the daemon starts.
std::optional<std::int64_t> DaemonStart(const HostPaths& paths) {
  for (const std::string& file : paths.daemon_pids) {
    if (const auto facts = fs::FactsOf(file)) {
      return facts->modified;
    }
  }
  return std::nullopt;
}

Findings CheckRestarted(const HostPaths& paths) {
  const auto start = DaemonStart(paths);
  if (!start) {
    return {{Level::kNote, "libvirtd",
             "it has no pid file, so whether it runs with these settings is not known", ""}};
  }
  for (const std::string& file : {paths.hook, paths.qemu_conf}) {
    const auto facts = fs::FactsOf(file);
    if (facts && facts->modified > *start) {
      return {{Level::kProblem, "libvirtd",
               Quote(file) + " was changed after libvirtd started, which has not seen it",
               kRestart}};
    }
  }
  return {{Level::kOk, "libvirtd", "it was started after its settings and hooks were changed", ""}};
}

Findings CheckSettings(const std::string& conf) {
  Findings findings;
  const std::string driver = adopt::QemuConfValue(conf, "security_driver").value_or("");
  if (driver.find("none") != std::string::npos) {
    findings.push_back({Level::kNote, "qemu.conf",
                        "security_driver is \"none\": libvirt puts no machine under AppArmor", ""});
  }
  if (adopt::QemuConfValue(conf, "dynamic_ownership") == "0") {
    findings.push_back({Level::kNote, "qemu.conf",
                        "dynamic_ownership is 0: machines that are not adopted open only what "
                        "QEMU's user may open",
                        ""});
  }
  if (adopt::QemuConfValue(conf, "namespaces") == "[]") {
    findings.push_back(
        {Level::kNote, "qemu.conf", "namespaces is empty: QEMU sees the host's whole /dev", ""});
  }
  if (adopt::QemuConfValue(conf, "seccomp_sandbox") == "0") {
    findings.push_back(
        {Level::kNote, "qemu.conf", "seccomp_sandbox is 0: QEMU may make any system call", ""});
  }
  return findings;
}

// "Running hypervisor: QEMU 7.2.22"
std::string_view ValueOf(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) {
    return {};
  }
  const std::string_view rest = text.substr(at + key.size());
  return rest.substr(0, rest.find('\n'));
}

int MajorOf(std::string_view version) {
  int major = 0;
  std::from_chars(version.data(), version.data() + version.size(), major);
  return major;
}

}  // namespace

Findings CheckFeed(const HostPaths& paths) {
  const auto conf = fs::ReadTextFile(paths.qemu_conf, kConfBytes);
  if (!conf) {
    return {{Level::kProblem, "qemu.conf", conf.error().Message(),
             "install libvirt's daemon (Debian: libvirt-daemon-system)"}};
  }
  Findings findings = {CheckDriver(paths, adopt::QemuConfValue(*conf, "lock_manager").value_or("")),
                       CheckHook(paths)};
  Add(&findings, CheckRestarted(paths));
  Add(&findings, CheckSettings(*conf));
  return findings;
}

Findings CheckVersions(std::string_view versions) {
  const std::string daemon(ValueOf(versions, "Running against daemon: "));
  const std::string qemu(ValueOf(versions, "Running hypervisor: "));
  if (daemon.empty()) {
    return {{Level::kNote, "libvirtd", "it does not say which version it is", ""}};
  }
  const std::string sentence =
      "libvirt " + OneLine(daemon) + (qemu.empty() ? "" : ", " + OneLine(qemu));
  if (MajorOf(daemon) < kOldestMajor) {
    return {{Level::kNote, "libvirtd", sentence + "; tested is 9.0", ""}};
  }
  return {{Level::kOk, "libvirtd", sentence, ""}};
}

Findings CheckDaemon(const adopt::Virsh& virsh) {
  const auto versions = virsh.Versions();
  if (!versions) {
    return {{Level::kProblem, "libvirtd", versions.error().Message(), "systemctl start libvirtd"}};
  }
  return CheckVersions(*versions);
}

}  // namespace openhook::doctor
