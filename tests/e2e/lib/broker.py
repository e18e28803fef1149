# SPDX-License-Identifier: LGPL-2.1-or-later
"""openhookd and openhookctl: one broker for one VM, and the grants made to it."""

import json
import os
import signal
import socket
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from lib import settings
from lib.workspace import Workspace


class RefusedError(Exception):
    """openhookctl refused or failed; str() is what it told the administrator."""


class BrokerError(Exception):
    """openhookd did not start, or did not stop."""


@dataclass(frozen=True)
class Grant:
    """One line of the whitelist."""

    path: str
    access: str
    lease: str
    ended: bool = False


class Broker:
    """The broker of one VM. start() after stop() or kill() continues with the same state."""

    def __init__(self, workspace: Workspace, vm: Optional[str] = None) -> None:
        self.vm = vm or str(uuid.uuid4())
        self._workspace = workspace
        self._process: Optional[subprocess.Popen[bytes]] = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "the broker is not running"
        return self._process.pid

    @property
    def open_socket(self) -> Path:
        return self._workspace.run / self.vm / "open.sock"

    @property
    def control_socket(self) -> Path:
        return self._workspace.run / self.vm / "control.sock"

    @property
    def log(self) -> Path:
        return self._workspace.logs / f"openhookd-{self.vm}.log"

    def start(self) -> None:
        """Starts openhookd and returns when it accepts connections."""
        argv = [settings.program("openhookd"), *self.arguments()]
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait_ready(time.monotonic() + settings.DEADLINE)

    def arguments(self) -> list[str]:
        argv = ["--vm", self.vm, "--vm-user", str(settings.VM_UID)]
        argv += ["--state-dir", str(self._workspace.state), "--run-dir", str(self._workspace.run)]
        # QEMU runs without a profile here, on hosts with AppArmor too.
        return [*argv, "--peer-label", "unchecked"]

    def _wait_ready(self, deadline: float) -> None:
        assert self._process is not None
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise BrokerError(f"openhookd is not ready:\n{self.log.read_text()}")
            time.sleep(0.005)

    def _accepts(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
            return probe.connect_ex(os.fsencode(self.control_socket)) == 0

    def stop(self) -> None:
        """Ends the broker as systemd would; a broker that was killed or never ran is fine."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9: nothing can be saved or cleaned up any more."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        self._process.wait(settings.DEADLINE)
        self._process = None

    def ctl(self, *arguments: str) -> str:
        """Runs openhookctl and gives what it prints."""
        argv = [settings.program("openhookctl"), "--socket", str(self.control_socket), *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=settings.DEADLINE)
        if done.returncode != 0:
            raise RefusedError(done.stderr.strip())
        return done.stdout

    def control(self, *arguments: str) -> Any:
        """Runs openhookctl with --json and gives its answer."""
        return json.loads(self.ctl(*arguments, "--json"))

    def grant(self, path: Path, *options: str, lease: str = "domain") -> None:
        self.control("grant", str(path), *options, "--lease", lease)

    def grants(self) -> list[Grant]:
        """The whitelist as the broker tells it."""
        listed = self.control("list")["grants"]
        return [Grant(one["path"], one["access"], one["lease"], one["ended"]) for one in listed]

    def begin(self, kind: str, *arguments: object) -> str:
        """Begins a job and gives its id."""
        words = [str(one) for one in arguments]
        return str(self.control("job", "begin", kind, *words)["job"]["id"])

    def end(self, job: str, outcome: str) -> None:
        """Ends a job as completed, pivoted or aborted."""
        self.control("job", "end", job, f"--{outcome}")

    def chain(self, disk: str) -> list[str]:
        """The recorded chain of a disk, the active image first."""
        for one in self.control("chain", "list")["chains"]:
            if one["disk"] == disk:
                return [image["path"] for image in one["images"]]
        raise KeyError(disk)

    def events(self) -> list[Any]:
        """The decisions that the broker has in memory, oldest first."""
        lines = self.ctl("watch", "--last", "1024", "--no-follow", "--json").splitlines()
        return [json.loads(line) for line in lines]
