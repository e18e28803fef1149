# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host of its own for a real libvirtd: mount and PID namespace, /etc, /var and /run that are
thrown away, a /dev without kvm. Nothing outside of it changes, and all that it ran ends with it.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Callable, Optional, Sequence

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("OPENHOOK_BIN_DIR", REPOSITORY / "build" / "bin")).parent
DEADLINE = 60.0
LIBVIRTD = "/usr/sbin/libvirtd"
VIRTLOGD = "/usr/sbin/virtlogd"

# Runs as the namespace's first process. Its arguments: the root, the build, and what it becomes.
SETUP = r"""
set -e
root=$1 build=$2
shift 2
mount --make-rprivate /
mkdir -p "$root/scratch"
mount -t tmpfs -o mode=0711 scratch "$root/scratch"
for place in etc usr var; do
  mkdir "$root/scratch/$place" "$root/scratch/$place.work"
  mount -t overlay -o "lowerdir=/$place,upperdir=$root/scratch/$place,workdir=$root/scratch/$place.work" \
        "$place" "/$place"
done
mount -t tmpfs -o mode=0755 run /run
mkdir -p /run/lock /run/libvirt /etc/openhook/domains
rm -rf /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /var/lib/openhook
mkdir -p /etc/libvirt/hooks/qemu.d /var/lib/libvirt/qemu /var/cache/libvirt /var/log/libvirt
chmod 0711 /var/lib/libvirt /var/log/libvirt
mkdir -p "$root/scratch/dev"
mount -t tmpfs -o mode=0755 dev "$root/scratch/dev"
cd "$root/scratch/dev"
for node in null:3 zero:5 full:7 random:8 urandom:9; do
  mknod -m 0666 "${node%:*}" c 1 "${node#*:}"
done
mknod -m 0666 tty c 5 0
ln -s /proc/self/fd fd
ln -s /proc/self/fd/0 stdin
ln -s pts/ptmx ptmx
mkdir pts shm net hugepages
mknod -m 0666 net/tun c 10 200
cd /
umount -R -l /dev
mount --move "$root/scratch/dev" /dev
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
# The same place on every host: a machine that moves takes its emulator's name with it.
mkdir -p /run/programs/bin /run/programs/lib
mount --bind "$build/bin" /run/programs/bin
mount --bind "$build/lib" /run/programs/lib
touch "$root/ready"
exec "$@"
"""

# A namespace's first process has to reap: libvirt waits until a QEMU that it killed is gone.
REAPER = r"""
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
while True:
    signal.sigwait([signal.SIGCHLD])
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
"""


class CommandError(Exception):
    """A command failed; str() is what it said."""


class Host:
    def __init__(self, prefix: str = "openhook-libvirt-") -> None:
        self.root = Path(tempfile.mkdtemp(prefix=prefix))
        self.root.chmod(0o711)
        self.images = self.root / "images"
        self.images.mkdir(mode=0o711)
        self._init: Optional[subprocess.Popen[bytes]] = None
        self._inside = 0

    @property
    def programs(self) -> Path:
        """Where the project's programs are, inside."""
        return Path("/run/programs/bin")

    def first_process(self) -> list[str]:
        return ["/usr/bin/python3", "-c", REAPER]

    def namespaces(self) -> list[str]:
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]

    def start(self) -> None:
        argv = [*self.namespaces(), "sh", "-c", SETUP, "setup", str(self.root), str(BUILD),
                *self.first_process()]
        with open(self.root / "setup.log", "ab") as log:
            self._init = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + DEADLINE
        while not (self.root / "ready").exists():
            if self._init.poll() is not None or time.monotonic() > deadline:
                raise CommandError((self.root / "setup.log").read_text())
            time.sleep(0.005)
        children = Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children").read_text()
        self._inside = int(children.split()[0])

    def until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + DEADLINE
        while not holds():
            if time.monotonic() > deadline:
                log = (self.root / "setup.log").read_text()
                raise CommandError(f"not within {DEADLINE:.0f} s: {what}\n{log}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Ends everything that runs inside."""
        if self._init is not None:
            os.kill(self._inside, signal.SIGKILL)
            self._init.wait(DEADLINE)
            self._init = None
        shutil.rmtree(self.root)

    def wrap(self, argv: Sequence[str]) -> list[str]:
        return ["nsenter", "-t", str(self._inside), "-m", "-p", "--", *argv]

    def run(self, *argv: str, text: str = "") -> str:
        """Runs a command inside, and gives what it prints."""
        done = subprocess.run(self.wrap(argv), input=text, capture_output=True, text=True,
                              timeout=DEADLINE)
        if done.returncode != 0:
            raise CommandError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def try_run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.wrap(argv), capture_output=True, text=True, timeout=DEADLINE)

    def inside(self, path: str) -> Path:
        """A file of the host's own, seen from outside."""
        return Path(f"/proc/{self._inside}/root{path}")

    def write(self, path: str, text: str) -> None:
        self.inside(path).write_text(text)

    def processes(self) -> dict[int, str]:
        """What runs inside, by the host's own pids: name, as the kernel has it."""
        listed = self.run("ps", "-eo", "pid=,comm=").splitlines()
        pairs = (line.split(None, 1) for line in listed)
        return {int(pid): name.strip() for pid, name in pairs if name.strip() != "ps"}

    def kill(self, pid: int, number: int = signal.SIGKILL) -> None:
        self.run("kill", f"-{int(number)}", str(pid))

    def pid_of(self, name: str) -> int:
        return next(pid for pid, other in self.processes().items() if other == name)
