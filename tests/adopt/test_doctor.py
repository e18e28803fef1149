# SPDX-License-Identifier: LGPL-2.1-or-later
"""openhookctl doctor, host and reconcile, with a real libvirtd."""

import json
import re
import subprocess
import time
import unittest
from pathlib import Path

from libvirt_host import BIN, DEADLINE, QEMU, WRAPPER, Host, ctl, definition, disk, run_tests, virsh
from test_adopt import Case, make_image

DRIVER = Path("/usr/lib/x86_64-linux-gnu/libvirt/lock-driver/openhook.so")
BUILT_DRIVER = BIN.parent / "lib" / "lock-driver" / "openhook.so"
CONF = Path("/etc/libvirt/qemu.conf")
HOOK = Path("/etc/libvirt/hooks/qemu.d/openhook")


def findings(status: int = 0) -> list[str]:
    """"LEVEL SUBJECT: SENTENCE" lines."""
    shown = json.loads(ctl("doctor", "--json", status=status).stdout)
    problems = [one for one in shown["findings"] if one["level"] == "problem"]
    assert shown["problems"] == len(problems)
    assert all(one["remedy"] for one in problems), problems
    return [f"{one['level']} {one['subject']}: {one['sentence']}" for one in shown["findings"]]


class Fed(Case):
    """A host on which openhook is installed and enabled."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        DRIVER.unlink(missing_ok=True)
        DRIVER.symlink_to(BUILT_DRIVER)
        ctl("host", "enable")
        cls.host.restart()

    def has(self, lines: list[str], pattern: str) -> None:
        self.assertRegex("\n".join(lines), f"(?m)^{pattern}")

    def problems(self, status: int = 0) -> list[str]:
        return [line for line in findings(status) if line.startswith("problem")]


class Doctor(Fed):
    def test_a_host_that_is_enabled_has_no_problem(self) -> None:
        lines = findings()
        self.has(lines, "ok libvirtd: libvirt 9.*, QEMU 7")
        self.has(lines, f"ok lock driver: '{DRIVER}'")
        self.has(lines, f"ok hook: '{HOOK}'")
        self.has(lines, "ok kernel: Landlock ABI")
        self.has(lines, "note domains: none is adopted")

    def test_text_has_the_remedy_below_the_problem(self) -> None:
        self.addCleanup(self.host.restart)
        self.addCleanup(ctl, "host", "enable")
        HOOK.unlink()
        done = ctl("doctor", status=1)
        self.assertRegex(done.stdout, f"problem  hook: '{HOOK}' is missing.*\n +to do: openhookctl host enable\n")
        self.assertIn("1 problem found", done.stderr)

    def test_a_daemon_that_does_not_answer_is_a_problem_and_the_rest_is_looked_at(self) -> None:
        self.host.stop()
        self.addCleanup(self.host.start)
        lines = findings(status=1)
        self.has(lines, "problem libvirtd: virsh version: ")
        self.has(lines, "ok hook")

    def test_a_daemon_that_has_not_seen_its_settings(self) -> None:
        subprocess.run(["touch", "-d", "tomorrow", str(CONF)], check=True)
        self.addCleanup(subprocess.run, ["touch", "-d", "yesterday", str(CONF)], check=True)
        self.has(self.problems(status=1), f"problem libvirtd: '{CONF}' was changed after libvirtd started")

    def test_adopted_domains_and_their_brokers(self) -> None:
        uuid = self.define()
        ctl("adopt", "vm1")
        self.has(findings(), f"ok domain {uuid}: adopted")
        virsh("start", "vm1")
        lines = findings()
        self.has(lines, f"ok broker {uuid}: serves [0-9]+ grants")
        self.has(lines, f"ok domain {uuid}: it runs, and its broker serves it")
        pid = json.loads(ctl("status", "--vm", uuid, "--json").stdout)["pid"]
        # Its supervisor first, which would start it again.
        supervisor = re.search(r"^PPid:\t(\d+)", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"), re.M)[1]
        self.assertEqual(Path(f"/proc/{supervisor}/comm").read_text(encoding="utf-8"), "openhook-super\n")
        subprocess.run(["kill", "-9", supervisor, str(pid)], check=True)
        self.has(self.problems(status=1), f"problem domain {uuid}: it runs and has no broker")
        self.host.restart()
        self.wait_until_served(uuid)
        self.has(findings(), f"ok domain {uuid}: it runs, and its broker serves it")

    def wait_until_served(self, uuid: str) -> None:
        """libvirtd answers before it has run its hook for what runs."""
        end = time.monotonic() + DEADLINE
        while subprocess.run([BIN / "openhookctl", "status", "--vm", uuid], capture_output=True, check=False).returncode:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)

    def test_a_definition_that_lost_what_adopting_changed(self) -> None:
        uuid = self.define()
        ctl("adopt", "vm1")
        stock = Path("/run/stock.xml")
        stock.write_text(self.host.xml("vm1").replace(WRAPPER, QEMU), encoding="utf-8")
        virsh("define", str(stock))
        self.has(self.problems(status=1), f"problem domain {uuid}: its definition does not run openhook-qemu")
        virsh("undefine", "vm1")
        self.has(findings(), f"note domain {uuid}: it is no longer defined")

    def test_a_machine_that_was_started_before(self) -> None:
        uuid = self.define()
        virsh("start", "vm1")
        ctl("adopt", "vm1")
        self.has(findings(), f"note domain {uuid}: it was started before it was adopted")


class HostCommand(Fed):
    def test_enabling_twice_changes_nothing(self) -> None:
        self.assertIn("nothing to change", ctl("host", "enable").stdout)

    def test_disabling_brings_the_settings_back(self) -> None:
        self.addCleanup(ctl, "host", "enable")
        with_line = CONF.read_text(encoding="utf-8")
        ctl("host", "disable")
        self.assertEqual(with_line, CONF.read_text(encoding="utf-8") + 'lock_manager = "openhook"  # openhook\n')
        self.assertFalse(HOOK.is_symlink())
        self.has(self.problems(status=1), "problem lock driver: .* does not name it")

    def test_it_stays_enabled_while_a_domain_is_adopted(self) -> None:
        uuid = self.define()
        ctl("adopt", "vm1")
        self.assertIn(f"release them first: openhookctl release {uuid}", ctl("host", "disable", status=1).stderr)

    def test_it_is_not_enabled_without_the_lock_driver(self) -> None:
        DRIVER.unlink()
        self.addCleanup(DRIVER.symlink_to, BUILT_DRIVER)
        self.assertIn("is not installed", ctl("host", "enable", status=1).stderr)


class StillServed(Fed):
    def test_releasing_a_running_machine_leaves_its_broker_until_it_stops(self) -> None:
        uuid = self.define()
        before = self.host.xml("vm1")
        ctl("adopt", "vm1")
        virsh("start", "vm1")
        done = ctl("release", "vm1")
        self.assertIn("its broker serves it until it stops", done.stderr)
        self.assertEqual(self.host.xml("vm1"), before)
        ctl("status", "--vm", uuid)
        virsh("destroy", "vm1")
        self.assertIn("Released", ctl("release", "vm1").stdout)
        self.assertFalse(Path(f"/etc/openhook/domains/{uuid}.conf").exists())


class Reconcile(Fed):
    def start(self) -> str:
        uuid = self.define()
        ctl("adopt", "vm1")
        virsh("start", "vm1")
        return uuid

    def test_the_whitelist_is_what_the_live_definition_says(self) -> None:
        self.start()
        self.assertIn("is what the live definition says", ctl("reconcile", "vm1").stdout)

    def test_what_is_missing_comes_back_and_what_nothing_asks_for_goes(self) -> None:
        uuid = self.start()
        stray = make_image(self.directory / "stray.qcow2")
        ctl("grant", "--vm", uuid, str(stray), "--lease", "device:vdz")
        ctl("revoke", "--vm", uuid, str(self.base))
        ctl("grant", "--vm", uuid, str(stray), "--write", "--lease", "admin:me")
        dry = json.loads(ctl("reconcile", "vm1", "--dry-run", "--json").stdout)
        self.assertEqual([one["path"] for one in dry["missing"]], [str(self.base)])
        self.assertEqual([(one["lease"], one["path"]) for one in dry["surplus"]], [("device:vdz", str(stray))])
        self.assertEqual(dry["left"], 2)
        done = json.loads(ctl("reconcile", "vm1", "--json").stdout)
        self.assertEqual(done["left"], 0)
        grants = json.loads(ctl("list", "--vm", uuid, "--json").stdout)["grants"]
        self.assertIn(str(self.base), [grant["path"] for grant in grants if not grant["ended"]])
        self.assertEqual([grant["lease"] for grant in grants if grant["path"] == str(stray) and not grant["ended"]],
                         ["admin:me"])

    def test_a_disk_with_a_running_job_is_left_alone(self) -> None:
        uuid = self.start()
        job = ("--vm", uuid, "commit", "vda", "--base", str(self.base), "--id", "c")
        ctl("job", "begin", *job)
        ctl("revoke", "--vm", uuid, str(self.base), "--lease", "device:vda")
        done = ctl("reconcile", "vm1")
        self.assertIn("a job of the disk 'vda' runs", done.stderr)
        ctl("job", "end", "--vm", uuid, "c", "--aborted")
        self.assertEqual(json.loads(ctl("reconcile", "vm1", "--json").stdout)["left"], 0)

    def test_a_machine_that_does_not_run(self) -> None:
        self.define()
        self.assertIn("does not run", ctl("reconcile", "vm1", status=1).stderr)

    def test_a_definition_may_come_from_elsewhere(self) -> None:
        uuid = self.start()
        live = virsh("dumpxml", "vm1").stdout
        done = subprocess.run([str(BIN / "openhookctl"), "reconcile", "--definition", "-", "--json"], input=live,
                              capture_output=True, text=True, check=True)
        self.assertEqual(json.loads(done.stdout)["vm"], uuid)


if __name__ == "__main__":
    run_tests("/usr")
