# SPDX-License-Identifier: LGPL-2.1-or-later
"""openhookctl adopt and release, with a real libvirtd."""

import difflib
import json
import os
import pwd
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from libvirt_host import CTL, QEMU, WRAPPER, Host, ctl, definition, disk, mount, run_tests, virsh

DOMAINS = Path("/etc/openhook/domains")
NONE = "<seclabel type='none' model='dac'/>"
VM_USER = pwd.getpwnam("libvirt-qemu")


def make_image(path: Path, backing: Path | None = None) -> Path:
    words = ["qemu-img", "create", "-q", "-f", "qcow2"]
    words += ["-b", str(backing), "-F", "qcow2"] if backing else []
    subprocess.run([*words, str(path), "1M"], check=True)
    path.chmod(0o600)
    return path


def kept() -> list[str]:
    """What is left of adoptions."""
    return sorted(path.name for path in DOMAINS.glob("[!.]*")) if DOMAINS.exists() else []


def changed_lines(before: str, after: str) -> list[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


class Case(unittest.TestCase):
    host: Host

    @classmethod
    def setUpClass(cls) -> None:
        cls.host = Host()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.host.stop()

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="adopt-", dir="/var/lib"))
        self.directory.chmod(0o711)
        self.addCleanup(shutil.rmtree, self.directory)
        self.addCleanup(shutil.rmtree, DOMAINS, True)
        self.base = make_image(self.directory / "base.qcow2")
        self.image = make_image(self.directory / "disk.qcow2", self.base)

    def define(self, devices: str = "", more: str = "", name: str = "vm1") -> str:
        uuid = self.host.define(definition(name, disk(self.image) + devices, more))
        self.addCleanup(virsh, "undefine", name, check=False)
        self.addCleanup(virsh, "destroy", name, check=False)
        return uuid


class Adopt(Case):
    def test_it_changes_two_elements_and_releasing_brings_back_every_byte(self) -> None:
        uuid = self.define()
        before = self.host.xml("vm1")
        shown = ctl("adopt", "vm1")
        self.assertIn("Adopted 'vm1'", shown.stdout)
        self.assertIn(str(self.base), shown.stdout, "the plan is shown")
        after = self.host.xml("vm1")
        self.assertEqual(changed_lines(before, after),
                         [f"-    <emulator>{QEMU}</emulator>", f"+    <emulator>{WRAPPER}</emulator>",
                          f"+  {NONE}"])
        conf = (DOMAINS / f"{uuid}.conf").read_text(encoding="utf-8")
        self.assertRegex(conf, rf"(?m)^vm-user = {VM_USER.pw_uid}$")
        self.assertNotIn("profile", conf, "this kernel has no AppArmor")
        self.assertEqual((DOMAINS / f"{uuid}.original.xml").read_text(encoding="utf-8"), before)
        released = ctl("release", uuid)
        self.assertIn("byte for byte", released.stdout)
        self.assertEqual(self.host.xml("vm1"), before)
        self.assertEqual(kept(), [])

    def test_both_may_be_repeated(self) -> None:
        self.define()
        before = self.host.xml("vm1")
        ctl("adopt", "vm1")
        after = self.host.xml("vm1")
        self.assertIn("It is adopted; there is nothing to change", ctl("adopt", "vm1").stdout)
        self.assertEqual(self.host.xml("vm1"), after)
        ctl("release", "vm1")
        self.assertIn("It is not adopted", ctl("release", "vm1").stdout)
        self.assertEqual(self.host.xml("vm1"), before)

    def test_a_dry_run_shows_the_lines_and_changes_nothing(self) -> None:
        self.define()
        before = self.host.xml("vm1")
        shown = ctl("adopt", "vm1", "--dry-run").stdout
        self.assertIn(f"-    <emulator>{QEMU}</emulator>\n+    <emulator>{WRAPPER}</emulator>\n", shown)
        self.assertIn(f"+  {NONE}\n", shown)
        self.assertIn("Nothing was changed", shown)
        self.assertEqual(self.host.xml("vm1"), before)
        self.assertFalse(DOMAINS.exists())
        ctl("adopt", "vm1")
        adopted = self.host.xml("vm1")
        self.assertIn(f"+    <emulator>{QEMU}</emulator>", ctl("release", "vm1", "--dry-run").stdout)
        self.assertEqual(self.host.xml("vm1"), adopted)

    def test_json_says_the_same(self) -> None:
        uuid = self.define()
        dry = json.loads(ctl("adopt", "vm1", "--dry-run", "--json").stdout)
        self.assertEqual((dry["uuid"], dry["name"], dry["adopted"], dry["changed"]), (uuid, "vm1", False, False))
        self.assertEqual([grant["path"] for grant in dry["plan"]["grants"] if grant["disk"]],
                         [str(self.image), str(self.base)])
        done = json.loads(ctl("adopt", "vm1", "--json").stdout)
        self.assertEqual((done["adopted"], done["changed"], done["diff"]), (True, True, dry["diff"]))
        self.assertFalse(json.loads(ctl("adopt", "vm1", "--json").stdout)["changed"])
        back = json.loads(ctl("release", "vm1", "--json").stdout)
        self.assertEqual((back["was_adopted"], back["as_before"], back["still_served"]), (True, True, False))

    def test_what_others_change_meanwhile_stays(self) -> None:
        self.define()
        ctl("adopt", "vm1")
        second = make_image(self.directory / "second.qcow2")
        virsh("attach-disk", "vm1", str(second), "vdb", "--config", "--subdriver", "qcow2")
        virsh("desc", "vm1", "--config", "--title", "--new-desc", "another title")
        released = ctl("release", "vm1")
        self.assertIn("those changes stay", released.stdout)
        after = self.host.xml("vm1")
        self.assertIn(str(second), after)
        self.assertIn("another title", after)
        self.assertNotIn(WRAPPER, after)
        self.assertNotIn("seclabel", after)

    def test_labels_of_the_definition_come_back(self) -> None:
        for label in ("<seclabel type='dynamic' model='dac' relabel='yes'/>",
                      "<seclabel type='static' model='dac' relabel='yes'><label>+1:+1</label></seclabel>",
                      NONE):
            with self.subTest(label=label):
                uuid = self.define(more=label)
                before = self.host.xml("vm1")
                ctl("adopt", "vm1")
                adopted = self.host.xml("vm1")
                self.assertNotIn("relabel='yes'", adopted)
                conf = (DOMAINS / f"{uuid}.conf").read_text(encoding="utf-8")
                user = 1 if "static" in label else VM_USER.pw_uid
                self.assertRegex(conf, rf"(?m)^vm-user = {user}$")
                ctl("release", "vm1")
                self.assertEqual(self.host.xml("vm1"), before)
                virsh("undefine", "vm1")

    def test_settings_that_an_administrator_added_survive_adopting_again(self) -> None:
        uuid = self.define()
        ctl("adopt", "vm1")
        with open(DOMAINS / f"{uuid}.conf", "a", encoding="utf-8") as conf:
            conf.write("drift = strict\n")
        virsh("define", self.stock_again())
        ctl("adopt", "vm1")
        self.assertRegex((DOMAINS / f"{uuid}.conf").read_text(encoding="utf-8"), "(?m)^drift = strict$")
        self.assertIn(WRAPPER, self.host.xml("vm1"))

    def stock_again(self) -> str:
        path = Path("/run/stock.xml")
        path.write_text(self.host.xml("vm1").replace(WRAPPER, QEMU), encoding="utf-8")
        return str(path)

    def test_a_domain_that_is_gone_leaves_nothing_once_it_is_released(self) -> None:
        uuid = self.define()
        ctl("adopt", "vm1")
        virsh("undefine", "vm1")
        self.assertNotEqual(kept(), [])
        self.assertIn("no longer defined", ctl("release", uuid).stdout)
        self.assertEqual(kept(), [])

    def test_a_running_machine_goes_on_and_is_told_when_it_counts(self) -> None:
        self.define()
        virsh("start", "vm1")
        live = virsh("dumpxml", "vm1").stdout
        done = ctl("adopt", "vm1")
        self.assertIn("when it is shut down and started again", done.stderr)
        self.assertEqual(virsh("dumpxml", "vm1").stdout, live)
        self.assertEqual(virsh("domstate", "vm1").stdout.strip(), "running")
        ctl("release", "vm1")
        self.assertEqual(kept(), [], "its QEMU knows no broker")

    def test_a_saved_state_is_told_of(self) -> None:
        self.define()
        virsh("start", "vm1")
        virsh("managedsave", "vm1")
        self.addCleanup(virsh, "managedsave-remove", "vm1", check=False)
        self.assertIn("saved state", ctl("adopt", "vm1").stderr)

    def test_one_whose_emulator_alone_was_changed_back_is_released_as_it_was(self) -> None:
        self.define()
        before = self.host.xml("vm1")
        ctl("adopt", "vm1")
        adopted = self.host.xml("vm1")
        self.host.define(adopted.replace(WRAPPER, QEMU))
        ctl("adopt", "vm1")
        self.assertEqual(self.host.xml("vm1"), adopted)
        ctl("release", "vm1")
        self.assertEqual(self.host.xml("vm1"), before)


class UnderAppArmor(Case):
    """libvirtd believes that AppArmor confines it, so its driver is on; the kernel enforces nothing."""

    @classmethod
    def setUpClass(cls) -> None:
        mount("-t", "tmpfs", "tmpfs", "/sys/kernel/security")
        profiles = Path("/sys/kernel/security/apparmor/profiles")
        profiles.parent.mkdir()
        profiles.write_text("libvirtd (enforce)\n", encoding="utf-8")
        cls.addClassCleanup(subprocess.run, ["umount", "/sys/kernel/security"], check=True)
        cls.host = Host('security_driver = "apparmor"')

    def test_the_label_becomes_that_of_the_machines_own_profile(self) -> None:
        uuid = self.define()
        before = self.host.xml("vm1")
        ctl("adopt", "vm1")
        after = self.host.xml("vm1")
        self.assertEqual(changed_lines(before, after)[2:],
                         [f"+  {NONE}", "+  <seclabel type='static' model='apparmor' relabel='no'>",
                          f"+    <label>libvirt-{uuid}</label>", "+  </seclabel>"])
        self.assertRegex((DOMAINS / f"{uuid}.conf").read_text(encoding="utf-8"), "(?m)^profile = apparmor$")
        self.assertIn("there is nothing to change", ctl("adopt", "vm1").stdout)
        ctl("release", "vm1")
        self.assertEqual(self.host.xml("vm1"), before)

    def test_a_label_that_was_there_comes_back(self) -> None:
        uuid = self.define(more="<seclabel type='dynamic' model='apparmor' relabel='yes'/>")
        before = self.host.xml("vm1")
        ctl("adopt", "vm1")
        self.assertIn(f"<label>libvirt-{uuid}</label>", self.host.xml("vm1"))
        ctl("release", "vm1")
        self.assertEqual(self.host.xml("vm1"), before)

    def test_a_label_of_ours_is_remembered_though_a_later_command_keeps_labels(self) -> None:
        self.define()
        before = self.host.xml("vm1")
        ctl("adopt", "vm1")
        self.host.define(self.host.xml("vm1").replace(f"  {NONE}\n", ""))
        ctl("adopt", "vm1", "--keep-label")
        ctl("release", "vm1")
        self.assertEqual(self.host.xml("vm1"), before)

    def test_the_label_may_be_kept(self) -> None:
        self.define()
        ctl("adopt", "vm1", "--keep-label")
        self.assertNotIn("apparmor", self.host.xml("vm1"))


class Refused(Case):
    def refused(self, *words: str, says: str) -> None:
        before = virsh("list", "--all", "--name").stdout
        done = ctl("adopt", *words, status=1)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, says)
        self.assertEqual(kept(), [])
        self.assertEqual(virsh("list", "--all", "--name").stdout, before)

    def test_a_domain_that_is_not_there(self) -> None:
        self.refused("absent", says="failed to get domain 'absent'.*\\[?")
        self.refused("--connect", "qemu:///session", "vm1", says="a user's own libvirt")
        self.refused("--connect", "qemu+ssh://localhost/system", "vm1", says="not the libvirt of this host")

    def test_a_name_that_looks_like_an_option(self) -> None:
        self.refused("--connect=qemu:///system", "--", "--all", says="failed to get domain '--all'")

    def test_a_transient_domain(self) -> None:
        path = Path("/run/transient.xml")
        path.write_text(definition("vm1", disk(self.image)), encoding="utf-8")
        virsh("create", str(path))
        self.addCleanup(virsh, "destroy", "vm1")
        self.refused("vm1", says="is transient")

    def define_with(self, emulator: str) -> None:
        arch = "i686" if emulator.endswith("i386") else "x86_64"
        self.host.define(definition("vm1", disk(self.image)).replace(QEMU, emulator).replace("x86_64'", f"{arch}'"))
        self.addCleanup(virsh, "undefine", "vm1", check=False)

    def test_an_emulator_that_openhook_qemu_does_not_stand_for(self) -> None:
        self.define_with("/usr/bin/qemu-system-i386")
        self.refused("vm1", says="a link '.*/openhook-qemu-system-i386' to it stands for this one")
        virsh("undefine", "vm1")
        shutil.copy(QEMU, "/run/qemu-copy")
        self.define_with("/run/qemu-copy")
        self.refused("vm1", says="its emulator is '/run/qemu-copy', and openhook-qemu stands for " + QEMU)

    def test_an_emulator_that_is_not_there(self) -> None:
        self.define_with("/usr/bin/qemu-system-i386")
        Path("/run/empty").touch()
        mount("--bind", "/run/empty", "/usr/bin/qemu-system-i386")
        self.addCleanup(subprocess.run, ["umount", "/usr/bin/qemu-system-i386"], check=True)
        self.refused("vm1", says="'/usr/bin/qemu-system-i386' is no program of this host")

    def test_a_definition_that_asks_for_what_no_machine_may_have(self) -> None:
        self.define(disk("/etc/shadow", "vdb", "raw"))
        before = self.host.xml("vm1")
        self.refused("vm1", says="disk vdb: '/etc/shadow' is never given")
        self.assertEqual(self.host.xml("vm1"), before)

    def test_a_second_command_at_the_same_time(self) -> None:
        self.define()
        DOMAINS.mkdir(parents=True)
        lock = DOMAINS / ".lock"
        holder = subprocess.Popen(
            ["/usr/bin/python3", "-c", "import fcntl, struct, sys, time; f = open(sys.argv[1], 'w');"
             "fcntl.fcntl(f, 37, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0)); print(flush=True);"
             "time.sleep(60)", str(lock)], stdout=subprocess.PIPE)
        self.addCleanup(holder.stdout.close)
        self.addCleanup(holder.wait)
        self.addCleanup(holder.kill)
        holder.stdout.readline()
        self.refused("vm1", says="another openhookctl adopts or releases")


class SecureFiles(Case):
    def owners(self) -> list[tuple[int, int]]:
        stats = [path.stat() for path in (self.image, self.base)]
        return [(info.st_uid, info.st_mode & 0o7777) for info in stats]

    def own(self) -> None:
        for path in (self.image, self.base):
            os.chown(path, VM_USER.pw_uid, VM_USER.pw_gid)
            path.chmod(0o640)

    def test_images_of_qemus_user_are_told_of_and_given_to_root_when_asked(self) -> None:
        self.define()
        self.own()
        theirs, roots = [(VM_USER.pw_uid, 0o640)] * 2, [(0, 0o600)] * 2
        done = ctl("adopt", "vm1")
        self.assertIn("--secure-files gives them to root", done.stderr)
        self.assertEqual(self.owners(), theirs)
        self.assertIn(f"Given to root: '{self.image}'", ctl("adopt", "vm1", "--secure-files").stdout)
        self.assertEqual(self.owners(), roots)
        ctl("adopt", "vm1", "--secure-files")
        ctl("release", "vm1")
        self.assertEqual(self.owners(), theirs)
        self.assertEqual(kept(), [])

    def test_an_image_that_another_file_has_replaced_keeps_nobody_from_adopting_again(self) -> None:
        self.define()
        self.own()
        before = self.host.xml("vm1")
        ctl("adopt", "vm1", "--secure-files")
        new = self.image.with_suffix(".new")
        new.write_bytes(self.image.read_bytes())
        new.rename(self.image)
        self.host.define(before)
        ctl("adopt", "vm1")
        self.assertIn(WRAPPER, self.host.xml("vm1"))
        ctl("release", "vm1")
        self.assertEqual(self.image.stat().st_uid, 0, "the new file was never anybody else's")
        self.assertEqual(self.base.stat().st_uid, VM_USER.pw_uid)

    def test_not_while_a_machine_has_them_open(self) -> None:
        self.define()
        virsh("start", "vm1")
        done = ctl("adopt", "vm1", "--secure-files", status=1)
        self.assertRegex(done.stderr, "is open in the process [0-9]+ \\(qemu")
        self.assertEqual(kept(), [])


class Interrupted(Case):
    """Killed in front of each call that changes something."""

    def killed_at(self, command: str, call: str, number: int) -> bool:
        done = subprocess.run(["strace", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                               f"inject={call}:signal=KILL:when={number}", CTL, command, "vm1", *self.more(command)],
                              capture_output=True, text=True, check=False)
        self.assertIn(done.returncode, (0, -9, 137), done.stderr)
        return done.returncode != 0

    @staticmethod
    def more(command: str) -> list[str]:
        return ["--secure-files"] if command == "adopt" else []

    def check_either(self, uuid: str) -> None:
        """One that runs openhook-qemu has all that it needs to start, and to be released."""
        if WRAPPER in self.host.xml("vm1"):
            self.assertTrue({f"{uuid}.conf", f"{uuid}.original.xml", f"{uuid}.record"} <= set(kept()))

    def test_each_command_converges_when_it_is_repeated(self) -> None:
        uuid = self.define()
        before = self.host.xml("vm1")
        ctl("adopt", "vm1")
        adopted = self.host.xml("vm1")
        ctl("release", "vm1")
        deaths = 0
        for command, calls in (("adopt", ("rename", "fchown", "fchmod", "wait4")), ("release", ("unlink", "fchown", "wait4"))):
            for call in calls:
                for number in range(1, 40):
                    for path in (self.image, self.base):
                        os.chown(path, VM_USER.pw_uid, VM_USER.pw_gid)
                    if command == "release":
                        ctl("adopt", "vm1", "--secure-files")
                    died = self.killed_at(command, call, number)
                    with self.subTest(command=command, call=call, number=number):
                        self.check_either(uuid)
                        if number % 2 == 0:
                            ctl("adopt", "vm1", "--secure-files")
                            self.assertEqual(self.host.xml("vm1"), adopted)
                            self.assertEqual(self.image.stat().st_uid, 0)
                        ctl("release", "vm1")
                        self.assertEqual(self.host.xml("vm1"), before)
                        self.assertEqual(kept(), [])
                        self.assertEqual(self.image.stat().st_uid, VM_USER.pw_uid)
                    if not died:
                        break
                    deaths += 1
        self.assertGreater(deaths, 20)


if __name__ == "__main__":
    run_tests()
