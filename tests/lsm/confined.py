# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host as an administrator sets it up, in a guest that has AppArmor in force: openhookd and
openhook-loader under the profiles that are shipped, QEMU in the profile of its VM and as its user.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import apparmor
from lib import images, settings
from lib.access import Brokered
from lib.broker import Broker

ETC = pathlib.Path("/etc/apparmor.d")
IMAGES = pathlib.Path("/var/lib/libvirt/images")
# Where the shipped abstraction lets a domain have sockets; NAME is a part of it.
CHANNELS = pathlib.Path("/run/libvirt/qemu/channel")
NAME = "lab"
# Files that no VM is ever given.
STRANGERS = ("/etc/shadow", "/var/lib/openhook/secret", "/var/lib/libvirt/images/of-another-vm",
             "/root/secret")


def set_up():
    """Once for each guest."""
    apparmor.log_everything()
    for program in ("openhookd", "openhook-loader"):
        subprocess.run(["apparmor_parser", "-r", ETC / program], check=True)
    for directory in (IMAGES, CHANNELS, ETC / "libvirt"):
        directory.mkdir(parents=True, exist_ok=True)


def files_below(directory):
    return [path for path in sorted(directory.rglob("*")) if path.is_file()]


class Workspace:
    """The directories of one VM, where a host has them; images are root's, 0600 in 0700."""

    def __init__(self, name=NAME):
        self.name = name
        self.images = pathlib.Path(tempfile.mkdtemp(prefix="vm-", dir=IMAGES))
        self.logs = pathlib.Path(tempfile.mkdtemp(prefix="logs-"))
        self.private = CHANNELS / f"1-{name}"
        self.private.mkdir(mode=0o700)
        os.chown(self.private, settings.VM_UID, settings.VM_UID)
        self.run, self.state = pathlib.Path("/run/openhook"), pathlib.Path("/var/lib/openhook")

    def remove(self):
        for directory in (self.images, self.private):
            shutil.rmtree(directory)


class Loader:
    """openhook-loader of one VM. start() after kill() is another one."""

    def __init__(self, vm, name, log):
        self.vm, self.name, self.log = vm, name, log
        self.process = None

    def start(self):
        argv = [settings.program("openhook-loader"), "--vm", self.vm, "--name", self.name]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self, number=signal.SIGKILL):
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(settings.DEADLINE)
            self.process = None


class InStepBroker(Broker):
    """openhookd --profile apparmor with its loader: whitelist and kernel say the same."""

    def __init__(self, workspace):
        super().__init__(workspace)
        self.workspace = workspace
        self.loader = Loader(self.vm, workspace.name, workspace.logs / "loader.log")
        self.extra = ()

    @property
    def profile(self):
        return f"libvirt-{self.vm}"

    def arguments(self):
        return ["--vm", self.vm, "--vm-user", str(settings.VM_UID), "--profile", "apparmor",
                *self.extra]

    def start(self):
        if self.loader.process is None:
            self.loader.start()
        super().start()
        self.await_in_step()

    def stop(self):
        super().stop()
        self.loader.kill(signal.SIGTERM)

    def await_in_step(self):
        images.wait_until(self.in_step, "the profile that is in step")

    def in_step(self):
        return self.control("status")["profile"]["in_step"]

    def given(self):
        """What the whitelist gives: permissions in the kernel's letters, by path. A file of an ended
        lease that is still open stays readable."""
        union = {}
        for grant in self.grants():
            writes = grant.access != "read" and not grant.ended
            union[grant.path] = "rwk" if writes else union.get(grant.path, "rk")
        return union

    def kernel(self, *more):
        """What the kernel gives, of all the VM's files that there are, and `more`."""
        paths = {*map(str, files_below(self.workspace.images)), *map(str, more)}
        return {path: what for path in paths if (what := apparmor.allowed(self.profile, path))}

    def kernel_and_whitelist(self):
        """The two, which are to be equal: for each file that is there, is given, or is a stranger's."""
        given = self.given()
        return self.kernel(*given, *STRANGERS), given


class Confined(Brokered):
    """QEMU as the VM's user, in the VM's profile."""

    def __init__(self, workspace):
        super().__init__(workspace)
        self.broker = InStepBroker(workspace)
        self._workspace = workspace

    def launcher(self):
        user = str(settings.VM_UID)
        argv = ["/usr/bin/setpriv", "--reuid", user, "--regid", user, "--clear-groups"]
        argv += ["aa-exec", "-p", self.broker.profile, "--"]
        argv += [settings.program("openhook-qemu"), f"--mode={settings.SHIM}"]
        argv += ["--socket", str(self.broker.open_socket)]
        return [*argv, "--tmp", str(self._workspace.private)]
