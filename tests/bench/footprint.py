# SPDX-License-Identifier: LGPL-2.1-or-later
"""An idle broker: how soon it is ready, and how much memory is its own."""

import os
import socket
import statistics
import subprocess
import time
from typing import Any

import subject
from subject import Broker, Workspace

_STARTS = 11
_DEADLINE = 10.0


def _accepts(path: bytes) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        return probe.connect_ex(path) == 0


def _time_start(workspace: Workspace, broker: Broker) -> float:
    """Milliseconds from before exec to the first connection that control.sock takes."""
    argv = [subject.settings.program("openhookd"), "--vm", broker.vm, "--state-dir",
            str(workspace.state), "--run-dir", str(workspace.run), "--vm-user",
            str(subject.settings.VM_UID), "--peer-label", "unchecked"]
    path = os.fsencode(broker.control_socket)
    begin = time.monotonic()
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        while not _accepts(path):
            if process.poll() is not None or time.monotonic() > begin + _DEADLINE:
                raise subject.BenchError("openhookd did not start")
            time.sleep(0.0002)
        elapsed = time.monotonic() - begin
        process.terminate()
    return elapsed * 1000


def _private_kib(pid: int) -> dict[str, int]:
    """Private_* of /proc/PID/smaps_rollup. Clean pages of libraries count while nobody else maps
    them, so this is asked while a second broker runs."""
    found = {}
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
        for line in lines:
            name, _, rest = line.partition(":")
            if name in ("Private_Clean", "Private_Dirty"):
                found[name] = int(rest.split()[0])
    return {"dirty": found["Private_Dirty"], "all": sum(found.values())}


def measure(workspace: Workspace, few: Broker, many: Broker) -> dict[str, Any]:
    """few and many run on entry and on return."""
    empty = Broker(workspace)
    first = [_time_start(workspace, Broker(workspace)) for _ in range(_STARTS)]
    empty.start()
    subject.settle()
    memory = {"0": _private_kib(empty.pid)}
    empty.stop()
    again = [_time_start(workspace, empty) for _ in range(_STARTS)]
    few.stop()
    many.stop()
    with_many = [_time_start(workspace, many) for _ in range(_STARTS)]
    few.start()
    many.start()
    subject.settle()
    memory[str(subject.MANY)] = _private_kib(many.pid)
    median = statistics.median
    return {"memory_kib": memory,
            "ready_ms": {"first start": median(first), "restart, 0 grants": median(again),
                         f"restart, {subject.MANY} grants": median(with_many)}}
