# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a program notices of a broker that is killed and started again at once."""

import os
import statistics
import struct
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import subject
from subject import Broker, Workspace

_DEATHS = 11
# Of worker.h: a Batch, and the size of a Timing.
_ONE_OPEN = struct.pack("<I", 1)
_TIMING_BYTES = 3 * 8


class _Opener:
    """A program behind the preload library that opens one file whenever it is told to."""

    def __init__(self, build: Path, broker: Broker, image: Path) -> None:
        environment = {**os.environ, "LD_PRELOAD": str(build / "lib/libopenhook-preload.so"),
                       "OPENHOOK_SOCKET": str(broker.open_socket)}
        self._process = subprocess.Popen([build / "bench-bin/plain_worker", image], bufsize=0,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         env=environment)

    def open(self) -> float:
        """Asks for an open and returns the time at which it was answered."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(_ONE_OPEN)
        if len(self._process.stdout.read(_TIMING_BYTES)) != _TIMING_BYTES:
            raise subject.BenchError("the program could not open its file")
        return time.monotonic()

    def close(self) -> None:
        self._process.communicate()


def _one_death(broker: Broker, opener: _Opener, pool: ThreadPoolExecutor) -> float:
    """Milliseconds from the kill to the answer."""
    opener.open()
    begin = time.monotonic()
    broker.kill()
    answered = pool.submit(opener.open)
    broker.start()
    return (answered.result() - begin) * 1000


def measure(build: Path, workspace: Workspace, brokers: dict[int, Broker]) -> dict[str, Any]:
    """{grants: {median, most}} in milliseconds; the brokers run on return."""
    figures: dict[str, Any] = {}
    with ThreadPoolExecutor(max_workers=1) as pool:
        for grants, broker in brokers.items():
            opener = _Opener(build, broker, subject.job_image(workspace, broker))
            try:
                times = [_one_death(broker, opener, pool) for _ in range(_DEATHS)]
            finally:
                opener.close()
            figures[str(grants)] = {"median": statistics.median(times), "most": max(times)}
    return figures
