# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host whose first process is systemd, with openhook and libvirt as they are installed.

A systemd that boots would change the machine that it runs on: it empties /tmp and sets what is below
/proc/sys. Here it knows no units but those named below, and can write nothing but what is the host's own.
"""

import os
from pathlib import Path

from host import BUILD, CommandError, Host

UNITS = ("sysinit.target", "basic.target", "sockets.target", "shutdown.target", "libvirtd.service",
         "libvirtd.socket", "libvirtd-ro.socket", "libvirtd-admin.socket", "virtlogd.service",
         "virtlogd.socket", "virtlogd-admin.socket", "virtlockd.service", "virtlockd.socket",
         "virtlockd-admin.socket", "openhookd@.service")

# Its arguments: the root, the build, the units.
BECOME_SYSTEMD = r"""
root=$1 build=$2
shift 2
mount -t proc proc /proc
umount -R -l /sys/fs/cgroup
mount -t cgroup2 cgroup /sys/fs/cgroup
cmake --install "$build" --strip > "$root/install.log"
mkdir -p /run/systemd/system /run/units
for unit in "$@"; do cp "/usr/lib/systemd/system/$unit" /run/units; done
printf '[Unit]\nDescription=What a test asks for\n' > /run/units/test.target
mkdir /run/root
mount --bind "$root" /run/root
mount -t tmpfs -o mode=1777 tmp /tmp
mkdir -p "$root"
mount --move /run/root "$root"
mount --bind /proc/sys /proc/sys
for place in / /sys /proc/sys; do mount -o remount,bind,ro "$place"; done
exec env -i container=openhook PATH=/usr/sbin:/usr/bin SYSTEMD_UNIT_PATH=/run/units \
     SYSTEMD_GENERATOR_PATH=/run/nowhere \
     setpriv --bounding-set=-sys_time,-sys_module,-sys_boot --inh-caps=-sys_time,-sys_module,-sys_boot \
     /lib/systemd/systemd --system --unit=test.target --log-target=console --show-status=false
"""


def cgroups() -> Path:
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    raise CommandError("this test needs control groups of version 2, mounted somewhere")


class SystemdHost(Host):
    def __init__(self) -> None:
        super().__init__("openhook-systemd-")
        self._cgroup = cgroups() / self.root.name

    @property
    def programs(self) -> Path:
        return Path("/usr/bin")

    def first_process(self) -> list[str]:
        return ["sh", "-ec", BECOME_SYSTEMD, "become", str(self.root), str(BUILD), *UNITS]

    def namespaces(self) -> list[str]:
        enter = f"echo $$ > {self._cgroup}/cgroup.procs && exec \"$@\""
        own = ["--cgroup", "--uts", "--ipc", "--net"]
        return ["sh", "-c", enter, "enter", *super().namespaces(), *own]

    def start(self) -> None:
        self._cgroup.mkdir()
        super().start()
        self.until(lambda: self.systemctl("is-system-running") == "running", "systemd has booted")

    def stop(self) -> None:
        super().stop()
        for place, _, _ in os.walk(self._cgroup, topdown=False):
            os.rmdir(place)

    def systemctl(self, *words: str) -> str:
        """What it says; its exit status tells the same."""
        return self.try_run("systemctl", *words).stdout.strip()
