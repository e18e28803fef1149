# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who does what at a time in test_interleavings.py: clients of the broker, other programs that load
the VM's profile, and a killer.
"""

import subprocess
import threading
import time
from collections import Counter

import machine
from client import GRANT_CREATE, GRANT_READ, GRANT_READ_WRITE, OK, Closed, ControlConnection
from confined import ETC, InStepBroker
from lib import images, settings
from lib.broker import Broker

HELPER = "/usr/lib/libvirt/virt-aa-helper"
REPLACE = "/sys/kernel/security/apparmor/.replace"
COMMIT, SAVE = 1, 9
ABORTED = 4
COMPLETED = 2
# In a round.
CHANGES_EACH, FOREIGN_LOADS, KILLS = 6, 3, 2
FILES = 8
# Calls of the loader, in the order of one load, in front of which it is killed: waiting for the
# parser, making the file's name new, bringing that to disk, loading, answering.
KILL_POINTS = (("wait4", 1), ("rename", 1), ("fsync", 2), ("write", 3), ("sendmsg", 1))


class World:
    """The VM: a broker with its loader, some files, and a disk for each two actors."""

    def __init__(self, workspace):
        self.workspace = workspace
        self.broker = InStepBroker(workspace)
        self.files = [images.make_raw(workspace.images / f"file{i}", 4096) for i in range(FILES)]
        self.broker.start()
        self.disks = {}
        for name in ("vda", "vdb"):
            chain = images.make_chain(workspace.images, name)
            options = ["--chain", "--format", "qcow2", "--write", "--disk", name]
            self.broker.grant(chain.top, *options, lease=f"device:{name}")
            self.disks[name] = chain

    def stop(self):
        self.broker.stop()
        self.workspace.remove()

    def expected(self, actors):
        """What all that was acknowledged amounts to."""
        union = {}
        for chain in self.disks.values():
            union |= {str(chain.top): "rwk", str(chain.middle): "rk", str(chain.base): "rk"}
        for actor in actors:
            for path, what in actor.given():
                union[path] = max(what, union.get(path, ""), key=len)
        return union


class Doing(threading.Thread):
    """Does something; a failure waits for whoever joins."""

    def __init__(self, what):
        super().__init__()
        self.happened = Counter()
        self.failure = None
        self._what = what

    def run(self):
        try:
            self._what(self)
        except BaseException as error:
            self.failure = error


class Actor:
    """A client with leases of its own, that asks again until it is answered. What it has been given
    goes on over the rounds."""

    def __init__(self, world, number):
        self._world, self._number = world, number
        self._lease = f"admin:{number}"
        self._files = {}  # access, by path
        self._job = None  # id and what it gives
        self._jobs = 0

    def given(self):
        yield from self._files.items()
        yield from [self._job[1]] if self._job else []

    def thread(self, dice):
        return Doing(lambda doing: self._work(dice, doing))

    def _work(self, dice, doing):
        for _ in range(CHANGES_EACH):
            dice.choice((self._grant, self._grant, self._revoke, self._change_job))(dice)
            doing.happened["changes"] += 1
            time.sleep(dice.uniform(0, 0.05))

    def _grant(self, dice):
        path = str(dice.choice(self._world.files))
        access, letters = dice.choice(((GRANT_READ, "rk"), (GRANT_READ_WRITE, "rwk")))
        spec = {"path": path, "access": access}
        self._ask(grant={"lease": self._lease, "grants": [spec]})
        self._files[path] = letters

    def _revoke(self, dice):
        if not self._files:
            return self._grant(dice)
        path = dice.choice(sorted(self._files))
        self._ask(gone="not-found", revoke={"lease": self._lease, "paths": [path]})
        del self._files[path]

    def _change_job(self, dice):
        if self._job:
            outcome = ABORTED if self._job[1][0].endswith("base.qcow2") else COMPLETED
            self._ask(job_end={"id": self._job[0], "outcome": outcome})
            self._job = None
            return
        self._jobs += 1
        job = f"a{self._number}-{self._jobs}"
        # The first two have a disk each to commit; for all there is the guest's memory to save.
        if self._number < len(self._world.disks) and dice.random() < 0.5:
            disk, chain = list(self._world.disks.items())[self._number]
            self._ask(job_begin={"id": job, "kind": COMMIT, "disk": disk, "base": chain.base})
            self._job = job, (str(chain.base), "rwk")
        else:
            target = str(self._world.workspace.images / f"state-{job}")
            spec = {"path": target, "access": GRANT_CREATE}
            self._ask(job_begin={"id": job, "kind": SAVE, "targets": [spec]})
            self._job = job, (target, "rwk")

    def _ask(self, gone=None, **request):
        """Until it is done: there may be no broker, or a broker without a loader, at the moment."""
        deadline = time.monotonic() + settings.DEADLINE
        while True:
            told = self._answer(request)
            if told is not None and (told["outcome"] == OK or (gone and told["code"] == gone)):
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"{request} is not done: {told}")
            time.sleep(0.02)

    def _answer(self, request):
        try:
            with ControlConnection(str(self._world.broker.control_socket)) as connection:
                return connection.greeted().call(**request)
        except (Closed, OSError):
            return None


class Foreigners(Doing):
    """Programs that know nothing of openhook: a profile that gives nothing, one that gives all, one
    that was right some time ago, and libvirt's own helper."""

    def __init__(self, world, dice):
        super().__init__(self._work)
        self._world, self._dice = world, dice
        self._name = world.broker.profile
        self._narrow = compiled(f"profile {self._name} {{\n}}\n")
        self._wide = compiled(f"profile {self._name} {{\n  /** rwk,\n}}\n")
        self._early = (ETC / "libvirt" / self._name).read_text()

    def _work(self, _):
        for _ in range(FOREIGN_LOADS):
            time.sleep(self._dice.uniform(0, 0.7))
            self._dice.choice((self._load_narrow, self._load_wide, self._load_early, self._help))()
            self.happened["foreign loads"] += 1

    def _load_narrow(self):
        load(self._narrow)

    def _load_wide(self):
        load(self._wide)

    def _load_early(self):
        load(compiled(self._early))

    def _help(self):
        """What libvirtd runs at its moments: the helper loads the file that it finds."""
        disk = self._world.files[0]
        domain = machine.DOMAIN.format(name=self._world.workspace.name, uuid=self._world.broker.vm,
                                       seclabel="", devices=machine.disk(disk, "vda"))
        done = subprocess.run([HELPER, "-r", "-u", self._name], input=domain, text=True,
                              capture_output=True, timeout=settings.DEADLINE)
        assert done.returncode == 0, done.stderr
        self.happened["runs of virt-aa-helper"] += 1


class Killer(Doing):
    """kill -9 for broker and loader, who come back a little later. Not more often than a broker looks
    for its loader, or nothing would be done."""

    def __init__(self, world, dice):
        super().__init__(self._work)
        self._broker, self._loader, self._dice = world.broker, world.broker.loader, dice

    def _work(self, _):
        for _ in range(KILLS):
            time.sleep(self._dice.uniform(0, 1))
            self._dice.choice((self._kill_broker, self._kill_loader, self._kill_loader_at_a_point))()

    def _kill_broker(self):
        self._broker.kill()
        time.sleep(self._dice.uniform(0, 0.1))
        Broker.start(self._broker)
        self.happened["kills of the broker"] += 1

    def _kill_loader(self):
        self._loader.kill()
        time.sleep(self._dice.uniform(0, 0.1))
        self._loader.start()
        self.happened["kills of the loader"] += 1

    def _kill_loader_at_a_point(self):
        call, number = self._dice.choice(KILL_POINTS)
        inject = f"inject={call}:signal=SIGKILL:when={number}"
        tracer = subprocess.Popen(["strace", "-p", str(self._loader.process.pid), "-o", "/dev/null",
                                   "-e", inject], stderr=subprocess.PIPE, text=True)
        try:
            assert "attached" in tracer.stderr.readline()
            self._loader.process.wait(1)
            self.happened[f"kills of the loader before {call}"] += 1
        except subprocess.TimeoutExpired:
            self.happened["points that were not reached"] += 1
        finally:
            tracer.kill()
            tracer.communicate()
        self._kill_loader()


def compiled(text):
    return subprocess.run(["apparmor_parser", "-Q", "-K", "--stdout"], input=text.encode(), check=True,
                          stdout=subprocess.PIPE).stdout


def load(binary):
    with open(REPLACE, "wb", buffering=0) as replace:
        replace.write(binary)
