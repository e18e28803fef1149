# SPDX-License-Identifier: LGPL-2.1-or-later
"""openhookctl against a real openhookd: each subcommand for people and with --json, each error."""

import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile
import unittest
import uuid

from broker import Broker, build_dir
from client import DENIED, OK, READ_WRITE, OpenConnection

DONE, FAILED, USAGE = 0, 1, 2
STRANGER = 65534  # a user and a group that may nothing
GROUP = 54321


def ctl(*arguments, **options):
    program = options.pop("program", build_dir() / "bin/openhookctl")
    return subprocess.run([program, *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False, **options)


def qcow2(backing=None, backing_format="qcow2"):
    """The smallest header that a reader takes: version 3, one cluster, no data."""
    header = bytearray(65536)
    name = (backing or "").encode()
    extension = b""
    if backing:
        kind = backing_format.encode()
        extension = struct.pack(">II", 0xE2792ACA, len(kind)) + kind.ljust(8, b"\0")
    offset = 104 + len(extension) + 8 if backing else 0
    struct.pack_into(">4sIQIIQIIQQIIQQQQII", header, 0, b"QFI\xfb", 3, offset, len(name), 16,
                     1 << 20, 0, 1, 65536 * 3, 65536, 1, 0, 0, 0, 0, 0, 4, 104)
    header[104:104 + len(extension)] = extension
    header[offset or len(header):(offset or len(header)) + len(name)] = name
    # L1 table, refcount table and refcount block follow, all empty.
    return bytes(header) + bytes(65536 * 3)


class CtlTest(unittest.TestCase):
    def setUp(self):
        self.broker = Broker()
        self.addCleanup(self.broker.stop)

    def run_ctl(self, *arguments):
        return ctl("--run-dir", self.broker.run_dir, *arguments)

    def done(self, *arguments):
        run = self.run_ctl(*arguments)
        self.assertEqual((run.returncode, run.stderr), (DONE, ""))
        return run.stdout

    def done_json(self, *arguments):
        output = self.done(*arguments, "--json")
        self.assertEqual(output.count("\n"), 1)
        return json.loads(output)

    def failed(self, *arguments, saying):
        run = self.run_ctl(*arguments)
        self.assertEqual((run.returncode, run.stdout), (FAILED, ""), run.stderr)
        self.assertTrue(run.stderr.startswith("openhookctl: "), run.stderr)
        self.assertIn(saying, run.stderr)

    def may_open(self, path, access=1):
        with OpenConnection(self.broker.open_socket).greeted() as data:
            reply = data.open(path, access)
            if reply["fd"] is not None:
                os.close(reply["fd"])
            self.assertIn(reply["outcome"], (OK, DENIED))
            return reply["outcome"] == OK


class Status(CtlTest):
    def test_tells_the_broker_and_the_security_in_force(self):
        text = self.done("status")
        for part in (self.broker.vm, f"pid {self.broker.process.pid}", "0 grants of 0 leases",
                     "Labels", "peers are identified by their uid only", "Landlock"):
            self.assertIn(part, text)

    def test_json(self):
        status = self.done_json("status")
        self.assertEqual(status["vm"], self.broker.vm)
        self.assertEqual(status["pid"], self.broker.process.pid)
        self.assertEqual(status["peer_label_demanded"], False)
        self.assertIn(status["security_module"], ("none", "apparmor", "selinux"))
        self.assertEqual(status["label_level"], "uid")
        self.assertIn("peers are identified by their uid only", status["label_sentence"])
        self.assertEqual(sorted(status["decisions"]), ["allowed", "denied", "failed"])
        self.assertGreater(len(status["landlock"]["facts"]), 0)
        for fact in status["landlock"]["facts"]:
            self.assertEqual(sorted(fact), ["sentence", "stopped"])


class GrantListRevoke(CtlTest):
    def test_for_people(self):
        path = self.broker.write("disk.img")
        self.assertIn("may use no file", self.done("list"))
        granted = self.done("grant", path, "--write", "--lease", "device:vda", "--source",
                            "disk vda")
        for part in ("Granted:", "read-write", "device:vda", "disk vda", path):
            self.assertIn(part, granted)
        self.assertTrue(self.may_open(path, READ_WRITE))
        self.assertIn(path, self.done("list"))
        revoked = self.done("revoke", path)
        self.assertIn("Revoked 1 grant.", revoked)
        self.assertNotIn("still has", revoked)
        self.assertFalse(self.may_open(path))

    def test_json(self):
        path = self.broker.write("disk.img")
        change = self.done_json("grant", path)
        grant, = change["grants"]
        info = os.stat(path)
        self.assertEqual((grant["path"], grant["access"], grant["kind"], grant["stale"]),
                         (path, "read", "file", False))
        self.assertEqual((grant["dev"], grant["ino"]), (info.st_dev, info.st_ino))
        self.assertTrue(grant["lease"].startswith("admin:"))
        listed = self.done_json("list")
        self.assertEqual(listed, {"vm": self.broker.vm, "generation": change["generation"],
                                  "grants": [grant]})
        revoked = self.done_json("revoke", "--lease", grant["lease"])
        self.assertEqual(revoked["grants"], [grant])
        self.assertGreater(revoked["generation"], change["generation"])

    def test_a_lease_ends_as_a_whole_and_keeps_the_others(self):
        paths = [self.broker.write(f"{number}.img") for number in range(3)]
        for path in paths[:2]:
            self.done("grant", path, "--lease", "job:one")
        self.done("grant", paths[2], "--lease", "job:two")
        self.done("revoke", "--lease", "job:one")
        self.assertEqual([self.may_open(path) for path in paths], [False, False, True])

    def test_create(self):
        directory = self.broker.files / "dumps"
        directory.mkdir()
        grant, = self.done_json("grant", directory, "--create")["grants"]
        self.assertEqual((grant["access"], grant["kind"]), ("create", "directory"))
        grant, = self.done_json("grant", self.broker.files / "later.bin", "--create")["grants"]
        self.assertEqual((grant["access"], grant["kind"]), ("create", "absent"))

    def test_names_of_any_bytes(self):
        name = os.fsencode(self.broker.files) + b"/\xff\n\x1b[31m.img"
        pathlib.Path(os.fsdecode(name)).write_bytes(b"")
        grant, = self.done_json("grant", os.fsdecode(name))["grants"]
        self.assertEqual(bytes.fromhex(grant["path_hex"]), name)
        for text in (self.done("list"), self.done("list", "--json")):
            self.assertTrue(all(c == "\n" or c.isprintable() and c.isascii() for c in text), text)
        self.assertIn(r"\xff\x0a\x1b[31m.img", self.done("list"))

    def test_a_whole_chain_in_one_request(self):
        top, middle, base = self._write_chain()
        change = self.done_json("grant", top, "--write", "--chain", "--format", "qcow2",
                                "--source", "disk vda")
        self.assertEqual([(grant["path"], grant["access"], grant["role"], grant["depth"],
                           grant["format"]) for grant in change["grants"]],
                         [(top, "read-write", "image", 0, "qcow2"),
                          (middle, "read", "backing", 1, "qcow2"),
                          (base, "read", "backing", 2, "raw")])
        directory = os.path.dirname(middle)
        self.assertEqual(change["grants"][2]["aliases"], [directory + "/../base.raw"])
        self.assertTrue(self.may_open(directory + "/../base.raw"))
        self.assertTrue(self.may_open(base))
        self.assertFalse(self.may_open(base, READ_WRITE))
        self.assertTrue(self.may_open(top, READ_WRITE))

    def test_a_chain_that_only_the_image_vouches_for_needs_a_word(self):
        top, _, _ = self._write_chain()
        run = self.run_ctl("grant", top, "--chain")
        self.assertEqual(run.returncode, FAILED)
        self.assertIn("--format qcow2", run.stderr)
        self.assertFalse(self.may_open(top))

    def test_a_chain_with_a_missing_member_grants_nothing(self):
        top, middle, base = self._write_chain()
        os.unlink(base)
        self.failed("grant", top, "--chain", "--format", "qcow2", saying="base.raw")
        self.assertFalse(self.may_open(top) or self.may_open(middle))

    def _write_chain(self):
        (self.broker.files / "sub").mkdir()
        base = self.broker.write("base.raw", bytes(4096))
        middle = self.broker.write("sub/middle.qcow2", qcow2("../base.raw", "raw"))
        top = self.broker.write("top.qcow2", qcow2("sub/middle.qcow2"))
        return top, middle, base

    def test_refusals_say_why(self):
        self.failed("grant", self.broker.files / "absent.img", saying="absent.img")
        self.failed("grant", self.broker.files, saying=str(self.broker.files))
        self.failed("revoke", "--lease", "no:such", saying="no:such")


class Explain(CtlTest):
    def test_for_people(self):
        path = self.broker.write("disk.img")
        self.may_open(path)
        denied = self.done("explain", path)
        for part in ("deny", "not-whitelisted", "openhookctl grant", "Last decisions about it"):
            self.assertIn(part, denied)
        self.done("grant", path, "--lease", "device:vdb")
        allowed = self.done("explain", path)
        for part in ("allow", "Grants that bear on it", "device:vdb"):
            self.assertIn(part, allowed)

    def test_json(self):
        path = self.broker.write("disk.img")
        self.done("grant", path, "--lease", "device:vdb")
        allowed = self.done_json("explain", path)
        self.assertEqual((allowed["decision"], allowed["leases"], allowed["path"]),
                         ("allow", ["device:vdb"], path))
        denied = self.done_json("explain", path, "--write")
        self.assertEqual((denied["decision"], denied["rule"]), ("deny", "read-only-grant"))
        self.assertTrue(denied["reason"] and denied["remedy"])
        self.assertEqual(self.done_json("explain", path + ".new", "--create")["decision"], "deny")


class Watch(CtlTest):
    def test_the_past_for_people(self):
        path = self.broker.write("disk.img")
        self.may_open(path)
        line = self.done("watch", "--no-follow").splitlines()[-2]
        for part in ("deny", "open", "read", f"'{path}'", "[not-whitelisted]", f"pid {os.getpid()}"):
            self.assertIn(part, line)

    def test_the_past_as_json_lines(self):
        for number in range(5):
            self.may_open(f"/srv/{number}.img")
        lines = self.done("watch", "--no-follow", "--last", "3", "--json").splitlines()
        events = [json.loads(line) for line in lines]
        self.assertEqual([event["path"] for event in events],
                         [f"/srv/{number}.img" for number in (2, 3, 4)])
        self.assertEqual({event["verdict"] for event in events}, {"deny"})
        self.assertEqual(events[2]["seq"], events[0]["seq"] + 2)
        self.assertEqual(events[0]["uid"], os.getuid())

    def test_follows_until_the_broker_ends(self):
        watcher = subprocess.Popen(
            [build_dir() / "bin/openhookctl", "--run-dir", self.broker.run_dir, "watch", "--json"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(watcher.wait)
        self.addCleanup(watcher.kill)
        json.loads(watcher.stdout.readline())  # the broker's start: the watcher is connected
        self.may_open("/srv/live.img")
        self.assertEqual(json.loads(watcher.stdout.readline())["path"], "/srv/live.img")
        self.broker.kill()
        _, message = watcher.communicate(timeout=20)
        self.assertEqual(watcher.returncode, FAILED)
        self.assertIn("watch again once it runs", message)


class Chain(unittest.TestCase):
    """Needs no broker."""

    def setUp(self):
        self.root = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def write(self, name, content):
        (self.root / name).write_bytes(content)
        return str(self.root / name)

    def test_for_people_and_as_json(self):
        base = self.write("base.qcow2", qcow2())
        top = self.write("top.qcow2", qcow2("base.qcow2"))
        human = ctl("chain", top, "--format", "qcow2")
        self.assertEqual((human.returncode, human.stderr), (DONE, ""))
        self.assertEqual([line.split() for line in human.stdout.splitlines()],
                         [["DEPTH", "ROLE", "FORMAT", "ACCESS", "PATH"],
                          ["0", "image", "qcow2", "read-write", top],
                          ["1", "backing", "qcow2", "read", base]])
        run = ctl("chain", top, "--format", "qcow2", "--json")
        self.assertEqual(json.loads(run.stdout), {
            "images": [
                {"path": top, "requested": top, "format": "qcow2", "depth": 0, "role": "image",
                 "access": "read-write"},
                {"path": base, "requested": base, "format": "qcow2", "depth": 1,
                 "role": "backing", "access": "read"}],
            "network": [], "warnings": [], "format_probed": False})

    def test_a_probed_format_is_a_warning(self):
        top = self.write("top.qcow2", qcow2())
        human = ctl("chain", top)
        self.assertEqual(human.returncode, DONE)
        self.assertIn("warning:", human.stderr)
        answer = json.loads(ctl("chain", top, "--json").stdout)
        self.assertTrue(answer["format_probed"])
        self.assertEqual(len(answer["warnings"]), 1)

    def test_a_relative_image_is_found_from_the_working_directory(self):
        top = self.write("top.raw", bytes(512))
        answer = json.loads(ctl("chain", "top.raw", "--format", "raw", "--json",
                                cwd=self.root).stdout)
        self.assertEqual((answer["images"][0]["path"], answer["images"][0]["requested"]),
                         (top, "top.raw"))

    def test_what_cannot_be_a_chain_fails_with_nothing_on_the_output(self):
        loop = self.write("loop.qcow2", qcow2("loop.qcow2"))
        missing = self.write("missing.qcow2", qcow2("gone.qcow2"))
        os.mkfifo(self.root / "fifo")
        for reason, arguments in {
                "loop": (loop, "--format", "qcow2"),
                "missing member": (missing, "--format", "qcow2"),
                "missing image": (self.root / "absent",),
                "no qcow2": (self.write("zeros", bytes(512)), "--format", "qcow2"),
                "not a disk": (self.root / "fifo", "--format", "raw"),
                "unknown format": (loop, "--format", "floppy"),
        }.items():
            with self.subTest(reason):
                run = ctl("chain", *arguments, "--json")
                self.assertEqual((run.returncode, run.stdout), (FAILED, ""), run.stderr)
                self.assertIn("openhookctl: ", run.stderr)


class FindingTheBroker(CtlTest):
    def test_by_vm_by_socket_and_as_the_only_one(self):
        for arguments in (("--vm", self.broker.vm), ("--vm", self.broker.vm.upper()), ()):
            self.assertEqual(self.run_ctl(*arguments, "status").returncode, DONE)
        run = ctl("--socket", self.broker.control_socket, "status")
        self.assertEqual(run.returncode, DONE, run.stderr)

    def test_several_are_listed(self):
        other = Broker(root=self.broker.root)
        self.addCleanup(other.stop)
        run = self.run_ctl("status")
        self.assertEqual(run.returncode, FAILED)
        self.assertIn(", ".join(sorted([self.broker.vm, other.vm])), run.stderr)
        self.assertIn("--vm", run.stderr)

    def test_one_that_is_not_running(self):
        self.failed("--vm", uuid.uuid4(), "status", saying="openhookd --vm UUID")

    def test_one_that_was_killed(self):
        self.broker.kill()
        self.failed("status", saying="no broker is running")
        self.failed("--vm", self.broker.vm, "status", saying="start it again")

    def test_a_socket_that_is_no_brokers(self):
        path = str(self.broker.root / "other.sock")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
            other.bind(path)
            other.listen()
            run = ctl("--socket", path, "status")
        self.assertEqual(run.returncode, FAILED)
        self.assertIn(path, run.stderr)

    def test_the_socket_for_opens_is_not_the_one_for_control(self):
        run = ctl("--socket", self.broker.open_socket, "list")
        self.assertEqual((run.returncode, run.stdout), (FAILED, ""))


@unittest.skipUnless(os.getuid() == 0, "only root can become somebody else")
class WhoMay(CtlTest):
    def as_stranger(self, broker, groups=()):
        program = shutil.copy(build_dir() / "bin/openhookctl", broker.root)
        return ctl("--vm", broker.vm, "--run-dir", broker.run_dir, "status", program=program,
                   user=STRANGER, group=STRANGER, extra_groups=groups, cwd="/")

    def test_a_stranger_is_told_to_be_root(self):
        run = self.as_stranger(self.broker)
        self.assertEqual(run.returncode, FAILED)
        self.assertIn("be root", run.stderr)

    def test_a_stranger_is_told_the_group(self):
        broker = Broker(extra=["--control-group", str(GROUP)])
        self.addCleanup(broker.stop)
        run = self.as_stranger(broker)
        self.assertEqual(run.returncode, FAILED)
        self.assertIn(f"a member of the group with the number {GROUP}", run.stderr)

    def test_a_member_of_the_group_may(self):
        broker = Broker(extra=["--control-group", str(GROUP)])
        self.addCleanup(broker.stop)
        run = self.as_stranger(broker, [GROUP])
        self.assertEqual(run.returncode, DONE, run.stderr)


class Usage(unittest.TestCase):
    def test_mistakes_exit_with_2(self):
        for arguments in ((), ("plan",), ("grant",), ("grant", "relative"), ("revoke",),
                          ("--vm", "x", "list"), ("explain", "/a", "--write", "--create")):
            with self.subTest(arguments):
                run = ctl(*arguments)
                self.assertEqual((run.returncode, run.stdout), (USAGE, ""))
                self.assertTrue(run.stderr)


if __name__ == "__main__":
    unittest.main()
