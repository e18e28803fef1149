# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirtd inside of a Host, with openhook installed or without."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Optional, Sequence

from host import DEADLINE, LIBVIRTD, VIRTLOGD, CommandError, Host

# Parallel tests share the machine's cgroups.
QEMU_CONF = 'cgroup_controllers = []\nuser = "libvirt-qemu"\ngroup = "libvirt-qemu"\n'


class Libvirt:
    def __init__(self, host: Host, lock_manager: Optional[str] = "openhook",
                 host_uuid: Optional[str] = None) -> None:
        self._host = host
        self.plugins = host.programs.parent / "lib" / "lock-driver"
        conf = QEMU_CONF + (f'lock_manager = "{lock_manager}"\n' if lock_manager else "")
        host.write("/etc/libvirt/qemu.conf", conf)
        identity = f'host_uuid = "{host_uuid}"\n' if host_uuid else ""
        host.write("/etc/libvirt/libvirtd.conf", identity + 'auth_unix_rw = "none"\nunix_sock_rw_perms = "0700"\n'
                   'log_outputs = "2:file:/var/log/libvirt/libvirtd.log"\n')

    def install_hook(self) -> None:
        hook = self._host.inside("/etc/libvirt/hooks/qemu.d/openhook")
        hook.symlink_to(self._host.programs / "openhook-hook")

    def start(self) -> None:
        """Starts the daemons, and returns when they answer."""
        if not self._host.inside("/run/libvirt/virtlogd-sock").exists():
            self._host.run(VIRTLOGD, "-d")
        self.start_daemon()

    def start_daemon(self) -> None:
        argv = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                f"LIBVIRT_LOCK_MANAGER_PLUGIN_DIR={self.plugins}", LIBVIRTD]
        with open(self._host.root / "libvirtd.err", "ab") as log:
            subprocess.Popen(self._host.wrap(argv), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + DEADLINE
        while self._host.try_run("virsh", "version").returncode != 0:
            if time.monotonic() > deadline:
                raise CommandError("libvirtd does not answer:\n" + self.log())
            time.sleep(0.05)

    def pid(self) -> int:
        found = [pid for pid, name in self._host.processes().items() if name == "libvirtd"]
        return found[0]

    def restart(self, number: int = signal.SIGKILL) -> None:
        pid = self.pid()
        self._host.kill(pid, number)
        while pid in self._host.processes():
            time.sleep(0.01)
        self.start_daemon()

    def revive(self) -> None:
        """libvirt 9.0 crashes by itself when it ends a commit that it was killed in before
        (qemuBlockJobUpdate, a disk without mirror). Any other end is a failure."""
        if "libvirtd" in self._host.processes().values():
            return
        log = subprocess.run(["dmesg"], capture_output=True, text=True, check=True).stdout
        crashes = [line for line in log.splitlines() if "libvirtd" in line and "segfault" in line]
        if not crashes or "libvirt_driver_qemu.so" not in crashes[-1]:
            raise AssertionError(f"libvirtd is gone\n{self.log()}")
        self.start_daemon()

    def has_forgotten(self, name: str) -> bool:
        """libvirt 9.0 that is killed while a commit pivots may have noted a mirror without a job,
        which it cannot read, and knows nothing of the running machine then."""
        return f"Failed to load config for domain '{name}'" in self.log()

    def virsh(self, *words: str, text: str = "") -> str:
        return self._host.run("virsh", "-q", *words, text=text)

    def refused(self, *words: str) -> str:
        """What virsh says of an operation that must fail."""
        done = self._host.try_run("virsh", "-q", *words)
        if done.returncode == 0:
            raise AssertionError(f"virsh {' '.join(words)} was done")
        return done.stderr

    def begin(self, *words: str) -> "subprocess.Popen[str]":
        argv: Sequence[str] = self._host.wrap(["virsh", "-q", *words])
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def listen_at(self, path: Path) -> None:
        """Takes connections from other hosts too."""
        argv = ["socat", f"UNIX-LISTEN:{path},fork", "UNIX-CONNECT:/run/libvirt/libvirt-sock"]
        subprocess.Popen(self._host.wrap(argv), stdin=subprocess.DEVNULL)
        while not path.exists():
            time.sleep(0.01)

    def log(self) -> str:
        texts = []
        for path in (self._host.root / "libvirtd.err",
                     self._host.inside("/var/log/libvirt/libvirtd.log")):
            if os.path.exists(path):
                texts.append(path.read_text(errors="replace"))
        return "".join(texts)
