# SPDX-License-Identifier: LGPL-2.1-or-later
"""What AppArmor does with a file that a broker opened and a VM receives: the ground that openhook's
profiles stand on. A real openhookd, and clients under profiles of their own.

Runs in a guest of the kernel lab with AppArmor in force.
"""

import json
import os
import pathlib
import subprocess
import sys
import unittest

import apparmor
from broker import VM_UID, Broker, build_dir  # found where PYTHONPATH says
from client import GRANT_READ_WRITE, OK, READ, READ_WRITE, ControlConnection

DENIED = os.strerror(13)
BROKER = "lab-broker"
RECEIVER = str(pathlib.Path(__file__).with_name("receiver.py"))


def confine_brokers(file_rules="/** rwkm,"):
    """Every openhookd that starts from now on is under a profile that allows all but some files."""
    rules = f"capability, network, unix, signal, ptrace, link /** -> /**,\n{file_rules}"
    apparmor.load(apparmor.profile(BROKER, rules, attachment=str(build_dir() / "bin/openhookd")))


def setUpModule():
    apparmor.log_everything()
    confine_brokers()


def under(name, *argv):
    """A command line, started as the VM's user and under a profile."""
    user = str(VM_UID)
    return ["setpriv", "--reuid", user, "--regid", user, "--clear-groups",
            "aa-exec", "-p", name, "--", *map(str, argv)]


class Receiver:
    """A client under profile `name`; answer: what came of its asking for `path`."""

    def __init__(self, name, broker, path, access=READ_WRITE):
        argv = under(name, sys.executable, "-B", RECEIVER, broker.open_socket, path, access)
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answer = self.read()

    def read(self):
        return json.loads(self.process.stdout.readline())

    def again(self):
        """What can be done with the descriptor now."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.read()

    def end(self):
        self.process.communicate()


class Delegation(unittest.TestCase):
    def setUp(self):
        self.names = 0
        self.start_broker()

    def start_broker(self):
        self.broker = Broker()
        self.addCleanup(self.broker.stop)
        self.path = self.broker.write("disk.img")
        with ControlConnection(self.broker.control_socket).greeted() as control:
            self.assertEqual(control.grant(self.path, GRANT_READ_WRITE)["outcome"], OK)

    def profile(self, rule, name=None):
        """A VM's profile with one rule for its image; gives its name."""
        self.names += 1
        name = name or f"{self.id().rsplit('.', 1)[1]}-{self.names}"
        tests = "".join(f"{place}/{{,**}} r, " for place in sys.path if place.startswith("/"))
        apparmor.load(apparmor.profile(name, f"{apparmor.PROGRAM}\n{tests}\n{rule}"))
        return name

    def receive(self, name, access=READ_WRITE):
        receiver = Receiver(name, self.broker, self.path, access)
        self.addCleanup(receiver.end)
        return receiver

    def test_without_a_rule_of_the_receiver_is_dropped_and_told_in_the_kernels_log(self):
        self.assertEqual(apparmor.label_of(self.broker.process.pid), f"{BROKER} (enforce)")
        name = self.profile("")
        self.assertEqual(self.receive(name).answer, {"arrived": False})
        self.assertEqual(self.receive(name, READ).answer, {"arrived": False})
        logged = apparmor.denials(operation="file_receive", profile=name, name=self.path)
        self.assertEqual(len(logged), 2, logged)

    def test_with_a_rule_arrives_and_can_do_what_both_profiles_allow(self):
        answer = self.receive(self.profile(f"{self.path} rwk,")).answer
        self.assertEqual(set(answer.values()), {True, "ok"}, answer)

    def test_with_a_rule_for_reading_arrives_for_reading_only(self):
        name = self.profile(f"{self.path} rk,")
        self.assertEqual(self.receive(name).answer, {"arrived": False})
        answer = self.receive(name, READ).answer
        self.assertEqual((answer["arrived"], answer["read"], answer["lock"]), (True, "ok", "ok"))

    def test_with_a_rule_that_denies_is_dropped_and_told_nowhere(self):
        name = self.profile(f"{self.path} rwk, deny {self.path} w,")
        self.assertEqual(self.receive(name).answer, {"arrived": False})
        self.assertEqual(apparmor.denials(profile=name), [])

    def test_can_be_locked_as_the_brokers_profile_says_not_as_the_receivers(self):
        self.addCleanup(confine_brokers)
        for brokers, receivers, expected in (("/** rwm,", "rwk", DENIED), ("/** rwkm,", "rw", "ok")):
            confine_brokers(f"{brokers} /tmp/openhook-*/{{state,run}}/** rwk,")
            self.start_broker()
            answer = self.receive(self.profile(f"{self.path} {receivers},")).answer
            self.assertEqual((answer["write"], answer["lock"]), ("ok", expected), brokers)

    def test_goes_on_working_without_the_rule_but_the_next_is_dropped(self):
        name = self.profile(f"{self.path} rwk,")
        holder = self.receive(name)
        self.profile("", name)
        later = holder.again()
        self.assertEqual((later["read"], later["write"]), ("ok", "ok"))
        self.assertEqual((later["truncate"], later["reopen"]), (DENIED, DENIED))
        self.assertEqual(self.receive(name).answer, {"arrived": False})

    def test_of_an_unconfined_broker_arrives_whatever_the_receivers_profile_says(self):
        self.addCleanup(confine_brokers)
        apparmor.remove(BROKER)
        self.start_broker()
        self.assertEqual(apparmor.label_of(self.broker.process.pid), "unconfined")
        answer = self.receive(self.profile("")).answer
        self.assertEqual((answer["arrived"], answer["read"], answer["write"]), (True, "ok", "ok"))

    def test_that_a_real_qemu_did_not_get_is_an_error_that_says_where_to_look(self):
        programs = f"{build_dir()}/bin/* mrix, {build_dir()}/lib/* mr, /tmp/openhook-*/run/** rw,"
        # --mode=seccomp: the notifier reads QEMU's memory.
        programs += " ptrace (trace, tracedby) peer=@{profile_name},"
        with_rule, without = self.profile(f"{programs} {self.path} rwk,"), self.profile(programs)
        for mode in ("preload", "seccomp"):
            with self.subTest(mode=mode):
                done = self.qemu_io(with_rule, mode)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("wrote 512/512", done.stdout)
                done = self.qemu_io(without, mode)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn('operation="file_receive" (AppArmor)', done.stderr)

    def qemu_io(self, name, mode):
        argv = under(name, build_dir() / "bin/openhook-qemu", f"--mode={mode}", "--vm", self.broker.vm,
                     "--run-dir", self.broker.run_dir, "--", "qemu-io", "-f", "raw", "-c",
                     "write 0 512", self.path)
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


if __name__ == "__main__":
    unittest.main()
