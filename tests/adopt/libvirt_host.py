# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host with Debian's own libvirtd, in mount and pid namespaces of its own.

run_tests() is a test module's main: it enters the namespaces, where /etc, /run, /var/lib and /dev
are this run's alone, and nothing survives its end. Host starts the daemons there.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

BIN = Path(os.environ["OPENHOOK_BIN_DIR"])
CTL = str(BIN / "openhookctl")
WRAPPER = str(BIN / "openhook-qemu")
QEMU = "/usr/bin/qemu-system-x86_64"
URI = "qemu:///system"
INSIDE = "OPENHOOK_LIBVIRT_HOST"
DEADLINE = 60


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def own_copy(directory: str) -> None:
    """The directory as it is, and changes of it seen by nobody else."""
    layers = Path("/run/layers") / directory.strip("/").replace("/", "-")
    for layer in ("upper", "work"):
        (layers / layer).mkdir(parents=True)
    mount("-t", "overlay", "overlay", "-o",
          f"lowerdir={directory},upperdir={layers}/upper,workdir={layers}/work", directory)


def own_devices() -> None:
    """Without /dev/kvm, which libvirtd would probe again and again where it does not work."""
    subprocess.run(["umount", "-R", "-l", "/dev"], check=True)
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/dev")
    nodes = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
    for name, (major, minor) in nodes.items():
        os.mknod(f"/dev/{name}", 0o020666, os.makedev(major, minor))
        os.chmod(f"/dev/{name}", 0o666)
    for directory in ("pts", "shm", "net", "hugepages"):
        os.mkdir(f"/dev/{directory}")
    mount("-t", "devpts", "-o", "newinstance,ptmxmode=0666,mode=620", "devpts", "/dev/pts")
    mount("-t", "tmpfs", "tmpfs", "/dev/shm")
    os.symlink("pts/ptmx", "/dev/ptmx")
    os.symlink("/proc/self/fd", "/dev/fd")
    os.symlink("/proc/self/fd/0", "/dev/stdin")


def make_host(more: tuple[str, ...]) -> None:
    mount("--make-rprivate", "/")
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    for directory in ("/etc", "/var/lib", "/var/cache", "/var/log", *more):
        own_copy(directory)
    for directory in ("/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt"):
        shutil.rmtree(directory, ignore_errors=True)
    own_devices()


def reap_until(child: int) -> int:
    """The first process of a pid namespace is the parent of all orphans, such as QEMU."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def run_tests(*more: str) -> None:
    """`more` are directories that the tests change, too."""
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "yes"
        os.execvp("unshare", ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                              sys.executable, "-B", *sys.argv])
    child = os.fork()
    if child != 0:
        sys.exit(reap_until(child))
    make_host(more)
    unittest.main(module="__main__")


def virsh(*words: str, check: bool = True) -> subprocess.CompletedProcess:
    return subprocess.run(["virsh", "--quiet", "-c", URI, *words], capture_output=True, text=True, check=check,
                          timeout=DEADLINE, env={**os.environ, "LC_ALL": "C"})


def ctl(*words: str, status: int = 0) -> subprocess.CompletedProcess:
    done = subprocess.run([CTL, *words], capture_output=True, text=True, timeout=DEADLINE, check=False)
    if done.returncode != status:
        raise AssertionError(f"openhookctl {' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def definition(name: str, devices: str = "", more: str = "") -> str:
    return (f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>"
            f"<os><type arch='x86_64' machine='pc'>hvm</type></os>"
            f"<devices><emulator>{QEMU}</emulator>{devices}</devices>{more}</domain>")


def disk(path: str | Path, target: str = "vda", image: str = "qcow2") -> str:
    return (f"<disk type='file' device='disk'><driver name='qemu' type='{image}'/><source file='{path}'/>"
            f"<target dev='{target}' bus='virtio'/></disk>")


class Host:
    """libvirtd and virtlogd with Debian's configuration, in the namespaces of run_tests()."""

    def __init__(self, qemu_conf: str = "") -> None:
        # Parallel runs share the machine's control groups.
        with open("/etc/libvirt/qemu.conf", "a", encoding="utf-8") as conf:
            conf.write(f"\ncgroup_controllers = []\n{qemu_conf}\n")
        self.daemons: list[subprocess.Popen] = []
        self.start()

    def start(self) -> None:
        for daemon in ("virtlogd", "libvirtd"):
            with open(f"/run/{daemon}.err", "ab") as errors:
                self.daemons.append(subprocess.Popen([f"/usr/sbin/{daemon}"], stdin=subprocess.DEVNULL,
                                                     stdout=subprocess.DEVNULL, stderr=errors))
        end = time.monotonic() + DEADLINE
        while virsh("version", check=False).returncode != 0:
            if time.monotonic() > end or self.daemons[-1].poll() is not None:
                raise AssertionError(Path("/run/libvirtd.err").read_text(encoding="utf-8"))
            time.sleep(0.05)

    def stop(self) -> None:
        for daemon in reversed(self.daemons):
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(DEADLINE)
        self.daemons = []

    def restart(self) -> None:
        self.stop()
        self.start()

    @staticmethod
    def define(xml: str) -> str:
        """The UUID of the new domain."""
        path = Path("/run/definition.xml")
        path.write_text(xml, encoding="utf-8")
        virsh("define", str(path))
        name = xml.split("<name>")[1].split("</name>")[0]
        return virsh("domuuid", name).stdout.strip()

    @staticmethod
    def xml(name: str) -> str:
        return virsh("dumpxml", "--inactive", "--security-info", name).stdout
