# SPDX-License-Identifier: LGPL-2.1-or-later
"""openhookctl plan beside libvirt's own AppArmor helper, on the same definitions.

What the helper grants, the plan grants with at least the same access, or EXPLAINED says why not.
"""

import json
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from definitions import DEFINITIONS, UUID, make_files

EXPECTED = Path(__file__).with_name("expected.txt")

HELPER = "/usr/lib/libvirt/virt-aa-helper"
CTL = os.environ["OPENHOOK_BUILD"] + "/bin/openhookctl"

# Rules of the helper for which a plan has nothing, and the reason.
EXPLAINED: dict[str, str] = {
    r"/var/log/libvirt/\*\*/vm1\.log": "opened by libvirt",
    r"/var/lib/libvirt/qemu/domain-vm1/monitor\.sock": "a descriptor that libvirt hands over",
    r"/var/lib/libvirt/qemu/domain--1-vm1/\*": "of a running machine; this one has no id",
    r"/run/libvirt/\*\*/vm1\.pid": "a descriptor that libvirt hands over",
    r"/run/libvirt/\*\*/\*\.tunnelmigrate\.dest\.vm1": "libvirt's own",
    r"/dev/vfio/\[0-9\]\*": "every group of the host; the plan has the device's own",
    r"/sys/.*": "looked up with QEMU's own rights",
    r"/dev/(nvidiactl|nvidia-modeset|nvidia\*)": "not of a render node",
    r"/usr/.*|/etc/(drirc|glvnd/.*)|/proc/.*": "the system's, opened with QEMU's own rights",
    r"/dev/dri/": "a directory; the plan has the node",
}

# The same, of some definitions alone.
EXPLAINED_FOR: dict[str, dict[str, str]] = {
    "virtio interface": {"/dev/vhost-net": "a user mode network has no in-kernel back end"},
    "vhost-user interface": {"/dev/vhost-net": "another process is the back end"},
    "vdpa interface": {"/dev/vhost-net": "the device is the back end"},
}

RULE = re.compile(r'^\s*(?P<deny>deny )?"(?P<path>[^"]*)" (?P<access>[a-zRk]+),$')
# What a plan's access gives, in the helper's letters.
GIVES = {"read": "r", "read-write": "rw", "create": "rw", "list": "r"}


def explained(name: str, path: str) -> bool:
    return path in EXPLAINED_FOR.get(name, {}) or any(re.fullmatch(rule, path) for rule in EXPLAINED)


class AaHelper(unittest.TestCase):
    directory: Path

    @classmethod
    def setUpClass(cls) -> None:
        assert Path(HELPER).exists(), f"{HELPER} is missing, which is in libvirt-daemon-system"
        cls.temporary = tempfile.TemporaryDirectory(prefix="openhook-aa-")
        cls.directory = Path(cls.temporary.name).resolve()
        make_files(cls.directory)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.temporary.cleanup()

    def helper(self, xml: str) -> list[tuple[str, str]]:
        """Paths and letters that the helper allows."""
        run = subprocess.run([HELPER, "-r", "-d", "-u", f"libvirt-{UUID}"], input=xml, text=True,
                             capture_output=True, check=False)
        self.assertEqual(run.returncode, 0, run.stderr)
        # A dry run speaks on standard error.
        rules = [RULE.match(line) for line in (run.stdout + run.stderr).splitlines()]
        return [(rule["path"], rule["access"]) for rule in rules if rule and not rule["deny"]]

    def plan(self, xml: str) -> dict:
        run = subprocess.run([CTL, "plan", "-", "--json"], input=xml, text=True, capture_output=True,
                             check=False)
        self.assertEqual(run.returncode, 0, run.stderr)
        return json.loads(run.stdout)

    def lines(self, xml: str) -> list[str]:
        """The plan but for what depends on the host: whether a file is there, and warnings."""
        plan = self.plan(xml)
        lines = [f"{grant['access']} {grant['requested']} ({grant['source']})" +
                 (f" {grant['role']} {grant['depth']}" if grant["role"] else "") +
                 (" shareable" if grant["shareable"] else "") for grant in plan["grants"]]
        lines += [f"network {target['name']} ({target['source']}) {target['depth']}" for target in plan["network"]]
        return [line.replace(str(self.directory), "DIR") for line in lines] or ["nothing"]

    def grants(self, xml: str) -> dict[str, str]:
        """Letters by path, canonical or as it is spelled."""
        letters: dict[str, str] = {}
        for grant in self.plan(xml)["grants"]:
            for path in {grant["path"], grant["requested"]}:
                letters[path] = letters.get(path, "") + GIVES[grant["access"]]
                if grant["kind"] == "directory":
                    letters[path + "/"] = letters[path + "/**"] = letters[path + "/{,*}"] = letters[path]
        return letters

    def test_the_helper_gives_nothing_that_the_plan_does_not_or_it_is_explained(self) -> None:
        compared = 0
        for name, text in DEFINITIONS.items():
            xml = text.replace("DIR", str(self.directory))
            granted = self.grants(xml)
            for path, access in self.helper(xml):
                wanted = set(access.lower()) & set("rw")
                if explained(name, path):
                    continue
                compared += 1
                with self.subTest(definition=name, path=path):
                    self.assertIn(path, granted)
                    self.assertLessEqual(wanted, set(granted[path]))
        self.assertGreater(compared, len(DEFINITIONS) - 10)

    def test_each_definition_has_the_plan_that_is_written_down(self) -> None:
        written = {block.split("\n", 1)[0]: block.split("\n")[1:]
                   for block in EXPECTED.read_text(encoding="utf-8").strip().split("\n\n")[1:]}
        self.assertEqual(sorted(written), sorted(DEFINITIONS))
        self.assertGreaterEqual(len(written), 60)
        for name, text in DEFINITIONS.items():
            with self.subTest(definition=name):
                self.assertEqual(self.lines(text.replace("DIR", str(self.directory))), written[name])

    def test_backing_images_and_firmware_are_never_more_than_read(self) -> None:
        xml = DEFINITIONS["chain of three"].replace("DIR", str(self.directory))
        by_depth = {grant["depth"]: grant["access"] for grant in self.plan(xml)["grants"] if grant["disk"]}
        self.assertEqual(by_depth, {0: "read-write", 1: "read", 2: "read"})


if __name__ == "__main__":
    unittest.main()
