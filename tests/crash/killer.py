# SPDX-License-Identifier: LGPL-2.1-or-later
"""Kills a process in front of a chosen system call, with strace(1).

A first run is only watched: it tells which system calls one request takes. Then each of them can be
the last thing that a later run does not get to: strace counts the calls of one name, and the signal
that it injects on entry ends the process before the kernel carries the call out.
"""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time

# Not steps of a request: the broker waits in them, how often depends on the moment of attaching.
WAITS = ("epoll_wait", "restart_syscall")
# Nor are these: they change nothing, and a look at who holds a file makes some for each process of
# the host.
LOOKS = ("getdents64", "getpid", "newfstatat", "statx")
# A start takes hundreds of calls; these are the ones that leave something behind.
CHANGES = "mkdir,link,unlink,rename,ftruncate,pwrite64,fsync,fdatasync,fchmod,bind"
# What a process still does after it has answered.
SETTLE_SECONDS = 0.2


class Step:
    """The `nth` call of `name` after strace attached; `position` among all of them, `text` as
    strace tells it."""

    def __init__(self, position, name, nth, text):
        self.position, self.name, self.nth, self.text = position, name, nth, text

    def __repr__(self):
        return f"step {self.position}: {self.name} no. {self.nth}"


def _attach(pid, log, *options):
    tracer = subprocess.Popen(["strace", "-p", str(pid), "-o", log, *options],
                              stderr=subprocess.PIPE, text=True)
    line = tracer.stderr.readline()
    if "attached" not in line:
        raise RuntimeError(f"strace does not attach: {line}")
    return tracer


def _detach(tracer):
    # When the process has died, strace ends by itself.
    with contextlib.suppress(ProcessLookupError):
        tracer.terminate()
    tracer.wait(timeout=10)
    tracer.stderr.close()


def steps_of(pid, action):
    """The system calls that process `pid` makes while `action` runs."""
    with tempfile.NamedTemporaryFile("r") as log:
        tracer = _attach(pid, log.name)
        try:
            action()
            time.sleep(SETTLE_SECONDS)
        finally:
            _detach(tracer)
        return _read_steps(log)


def steps_of_start(command, until_ready):
    """Those of CHANGES that `command` makes until it is ready; `until_ready` waits for that."""
    with tempfile.NamedTemporaryFile("r") as log:
        tracer = subprocess.Popen(["strace", "-o", log.name, "-e", "trace=" + CHANGES, *command],
                                  stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  start_new_session=True)
        try:
            until_ready()
            return _read_steps(log)
        finally:
            # strace ignores the signal, its child does not, and then both are over.
            os.killpg(tracer.pid, signal.SIGTERM)
            tracer.wait(timeout=10)


def start_killed_before(command, step):
    """Runs `command`, which is killed at `step`."""
    subprocess.run(["strace", "-o", "/dev/null", "-e",
                    f"inject={step.name}:signal=SIGKILL:when={step.nth}", *command],
                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, timeout=10)


def _read_steps(log):
    seen, steps = {}, []
    for call, text in re.findall(r"^([a-z_0-9]+)(\(.*)", log.read(), re.MULTILINE):
        seen[call] = seen.get(call, 0) + 1
        if call not in WAITS + LOOKS:
            steps.append(Step(len(steps), call, seen[call], text))
    return steps


@contextlib.contextmanager
def killed_before(pid, step):
    """While in this context, `pid` is killed when it gets to `step`."""
    tracer = _attach(pid, "/dev/null", "-e",
                     f"inject={step.name}:signal=SIGKILL:when={step.nth}")
    try:
        yield
    finally:
        _detach(tracer)


@contextlib.contextmanager
def failing(pid, step, error, onwards=False):
    """While in this context, the call at `step` fails with `error`, and the kernel never sees it;
    with `onwards`, all later ones of its name too."""
    when = f"{step.nth}+" if onwards else step.nth
    tracer = _attach(pid, "/dev/null", "-e", f"inject={step.name}:error={error}:when={when}")
    try:
        yield
    finally:
        _detach(tracer)


def under_failing(call, error):
    """The words to run a program with, in its own place, so that all calls of a name fail from the
    first one; until stop_failing()."""
    return ["strace", "-D", "-o", "/dev/null", "-e", f"inject={call}:error={error}"]


def stop_failing(pid):
    """Ends what under_failing() began."""
    os.kill(_tracer_of(pid), signal.SIGKILL)  # it blocks others; the kernel lets go of what it traces
    while _tracer_of(pid):
        time.sleep(0.01)


def _tracer_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"^TracerPid:\s+(\d+)", status.read(), re.MULTILINE)[1])
