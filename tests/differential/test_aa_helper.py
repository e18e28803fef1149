# SPDX-License-Identifier: LGPL-2.1-or-later
"""openhookctl plan and openhook-aa-helper beside libvirt's own AppArmor helper, on the same
definitions.

What the helper grants, ours grant with at least the same access, or EXPLAINED and NOT_IN_OURS say
why not.
"""

import json
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from definitions import DEFINITIONS, UUID, definition, disk, make_files

EXPECTED = Path(__file__).with_name("expected.txt")

HELPER = "/usr/lib/libvirt/virt-aa-helper"
CTL = os.environ["OPENHOOK_BUILD"] + "/bin/openhookctl"
OURS = os.environ["OPENHOOK_BUILD"] + "/bin/openhook-aa-helper"

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

# Rules of the original that openhook-aa-helper does not have, by definition, and the reason.
NOT_IN_OURS: dict[str, dict[str, str]] = {
    "pci device": {"/dev/vfio/[0-9]*": "every group of the host; ours has the device's own, where there is one"},
    "mdev": {"/dev/vfio/[0-9]*": "every group of the host; ours has the device's own, where there is one"},
    **EXPLAINED_FOR,
}
# Images that ours gives for writing and the original does not, by definition, and the reason.
WRITABLE_IN_OURS: dict[str, dict[str, str]] = {
    "writable firmware": {"DIR/code.fd": "its definition says readonly='no'"},
}
# Command lines of which the original says yes, and ours no, and the reason.
REFUSED_BY_OURS = {
    "/root/x.img": "it is root's",
    "/dev/mem": "the host's memory",
    "/srv/.ssh/id_rsa": "it holds a person's keys",
}

RULE = re.compile(r'^\s*(?P<deny>deny )?"(?P<path>[^"]*)" (?P<access>[a-zRk]+),$')
# What a plan's access gives, in the helper's letters.
GIVES = {"read": "r", "read-write": "rw", "create": "rw", "list": "r"}


def explained(name: str, path: str) -> bool:
    return path in EXPLAINED_FOR.get(name, {}) or any(re.fullmatch(rule, path) for rule in EXPLAINED)


def literal(path: str) -> str:
    """Ours shows what would be a pattern in octal."""
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), path)


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

    def call(self, helper: str, xml: str, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run([helper, *(words or ("-r", "-d", "-u", f"libvirt-{UUID}"))], input=xml,
                              text=True, capture_output=True, check=False)

    def helper(self, xml: str, helper: str = HELPER) -> list[tuple[str, str]]:
        """Paths and letters that the helper allows."""
        run = self.call(helper, xml)
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

    def test_ours_gives_what_the_original_gives_or_it_is_explained(self) -> None:
        compared = 0
        for name, text in DEFINITIONS.items():
            xml = text.replace("DIR", str(self.directory))
            ours = {literal(path): access for path, access in self.helper(xml, OURS)}
            for path, access in self.helper(xml):
                if path in NOT_IN_OURS.get(name, {}):
                    continue
                # What is in a directory, or in a file's name, may be a wider pattern in ours.
                wider = [path, path + "/**", re.sub(r"\{,\*\}$", "**", path), re.sub(r"/\*?$", "/{,*}", path)]
                given = next((ours[one] for one in wider if one in ours), None)
                compared += 1
                with self.subTest(definition=name, path=path):
                    self.assertIsNotNone(given)
                    self.assertLessEqual(set(access), set(given or ""))
        self.assertGreater(compared, 5 * len(DEFINITIONS))

    def test_ours_never_gives_an_image_for_writing_that_the_original_gives_for_reading(self) -> None:
        for name, text in DEFINITIONS.items():
            xml = text.replace("DIR", str(self.directory))
            ours = dict(self.helper(xml, OURS))
            original: dict[str, str] = {}
            for path, access in self.helper(xml):
                original[path] = original.get(path, "") + access
            known = {path.replace("DIR", str(self.directory)) for path in WRITABLE_IN_OURS.get(name, {})}
            for path, access in original.items():
                if path in known:
                    continue
                with self.subTest(definition=name, path=path):
                    self.assertEqual("w" in ours.get(path, access), "w" in access)

    def test_ours_ends_as_the_original(self) -> None:
        """Exit status, and whether anything is said, of every way to call it dry."""
        name = f"libvirt-{UUID}"
        plain = DEFINITIONS["raw disk"].replace("DIR", str(self.directory))
        host = plain.replace(f"{self.directory}/raw.img", "/etc/passwd")
        calls = [
            (plain, "--help"), (plain, "-d"), (plain, "-d", "-r"), (plain, "-x"), (plain, "-r", "-u"),
            ("", "-r", "-d", "-u", name), ("junk", "-r", "-d", "-u", name), (host, "-r", "-d", "-u", name),
            (plain, "-r", "-d", "-u", "foo"), (plain, "-r", "-d", "-u", UUID), (plain, "-r", "-d", "-u", name[:-1] + "6"),
            (plain, "-c", "-d", "-u", name), (plain, "--create", "--dryrun", "--uuid", name),
            (plain, "-r", "-d", "-u", name, "-F", f"{self.directory}/kernel"),
            (plain, "-r", "-d", "-u", name, "-f", f"{self.directory}/kernel"),
            (plain, "-r", "-d", "-u", name, "-F", "relative"), (plain, "-r", "-d", "-u", name, "-F", "/etc/passwd"),
            (plain, "-r", "-d", "-u", name, "-f", "/boot/vmlinuz"), (plain, "-r", "-d", "-u", name, "more"),
            (plain, "-D", "-d", "-u", name), (plain, "-R", "-d", "-u", name), (plain, "-a", "-d", "-u", name),
        ]
        for xml, *words in calls:
            with self.subTest(words=words):
                original, ours = self.call(HELPER, xml, *words), self.call(OURS, xml, *words)
                self.assertEqual(ours.returncode, original.returncode, ours.stderr)
                self.assertEqual(bool(ours.stdout + ours.stderr), bool(original.stdout + original.stderr))

    def test_ours_refuses_more_than_the_original_for_a_reason(self) -> None:
        for path, reason in REFUSED_BY_OURS.items():
            xml = definition(disk(path))
            with self.subTest(path=path):
                self.assertEqual(self.call(HELPER, xml).returncode, 0)
                ours = self.call(OURS, xml)
                self.assertEqual(ours.returncode, 1)
                self.assertIn(reason, ours.stderr)

    def test_backing_images_and_firmware_are_never_more_than_read(self) -> None:
        xml = DEFINITIONS["chain of three"].replace("DIR", str(self.directory))
        by_depth = {grant["depth"]: grant["access"] for grant in self.plan(xml)["grants"] if grant["disk"]}
        self.assertEqual(by_depth, {0: "read-write", 1: "read", 2: "read"})


if __name__ == "__main__":
    unittest.main()
