# SPDX-License-Identifier: LGPL-2.1-or-later
"""openhookctl plan --apply against a real openhookd: a definition becomes a whitelist."""

import json

from test_ctl import FAILED, CtlTest, qcow2

READ, READ_WRITE = 1, 2


class Apply(CtlTest):
    def write(self, name, content):
        path = self.broker.files / name
        path.write_bytes(content)
        return path

    def definition(self, devices):
        return self.write("domain.xml", f"""<domain type='qemu'><name>vm1</name>
            <uuid>{self.broker.vm}</uuid><devices>{devices}</devices></domain>""".encode())

    def disk(self, path, name, image="qcow2", more=""):
        return (f"<disk type='file'><driver type='{image}'/><source file='{path}'/>{more}"
                f"<target dev='{name}'/></disk>")

    def test_each_disk_has_its_lease_and_its_chain(self):
        base = self.write("base.qcow2", qcow2())
        top = self.write("top.qcow2", qcow2("base.qcow2"))
        iso = self.write("cd.iso", b"x" * 4096)
        log = self.broker.files / "serial.log"
        xml = self.definition(self.disk(top, "vda") + self.disk(iso, "sda", "raw", "<readonly/>") +
                              f"<serial type='file'><source path='{log}'/></serial>")
        applied = self.done_json("plan", xml, "--apply")["applied"]
        self.assertEqual(len(applied), 3)
        grants = {grant["path"]: grant for grant in self.done_json("list")["grants"]}
        self.assertEqual({path: (grant["lease"], grant["access"]) for path, grant in grants.items()},
                         {str(top): ("device:vda", "read-write"), str(base): ("device:vda", "read"),
                          str(iso): ("device:sda", "read"), str(log): ("domain", "create")})
        chains = {chain["disk"]: chain for chain in self.done_json("chain", "list")["chains"]}
        self.assertEqual([image["path"] for image in chains["vda"]["images"]], [str(top), str(base)])
        self.assertTrue(chains["vda"]["writable"])
        self.assertFalse(chains["sda"]["writable"])
        self.assertTrue(self.may_open(top, READ_WRITE))
        self.assertTrue(self.may_open(base, READ))
        self.assertFalse(self.may_open(base, READ_WRITE))
        self.assertFalse(self.may_open(iso, READ_WRITE))

    def test_a_second_time_changes_nothing(self):
        top = self.write("top.qcow2", qcow2())
        xml = self.definition(self.disk(top, "vda"))
        self.done("plan", xml, "--apply")
        before = self.done_json("chain", "list")["chains"]
        self.done("plan", xml, "--apply")
        self.assertEqual(self.done_json("chain", "list")["chains"], before)
        self.assertEqual(len(self.done_json("list")["grants"]), 1)

    def test_nothing_is_granted_when_something_is_refused(self):
        top = self.write("top.qcow2", qcow2())
        xml = self.definition(self.disk(top, "vda") + self.disk("/etc/shadow", "vdb", "raw"))
        run = self.run_ctl("plan", xml, "--apply", "--json")
        self.assertEqual(run.returncode, FAILED)
        self.assertIn("/etc/shadow", run.stderr)
        self.assertNotIn("applied", json.loads(run.stdout))
        self.assertEqual(self.done_json("list")["grants"], [])

    def test_what_cannot_be_granted_is_said(self):
        top = self.write("top.qcow2", qcow2())
        xml = self.definition(self.disk(top, "vda") + self.disk("/nowhere/a", "vdb", "raw") +
                              "<graphics type='vnc' socket='/run/vnc.sock'/>")
        run = self.run_ctl("plan", xml, "--apply")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("'/nowhere/a' is not on this host", run.stderr)
        self.assertIn("'/run/vnc.sock' is a socket", run.stderr)
        self.assertEqual(len(self.done_json("list")["grants"]), 1)

    def test_two_disks_on_one_base(self):
        base = self.write("base.qcow2", qcow2())
        one = self.write("one.qcow2", qcow2("base.qcow2"))
        two = self.write("two.qcow2", qcow2("base.qcow2"))
        self.done("plan", self.definition(self.disk(one, "vda") + self.disk(two, "vdb")), "--apply")
        self.done("revoke", "--lease", "device:vda")
        self.assertFalse(self.may_open(one))
        self.assertTrue(self.may_open(two, READ_WRITE))
        self.assertTrue(self.may_open(base))
