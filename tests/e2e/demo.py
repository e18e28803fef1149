# SPDX-License-Identifier: LGPL-2.1-or-later
"""./run demo: a stock QEMU with a Linux guest runs on disks that only the broker can open."""

import sys
import time
import traceback
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib import guest, images, settings
from lib.access import Access, Brokered, Unprivileged
from lib.guest import Guest
from lib.holders import held_files
from lib.narrator import DemoFailure, Narrator
from lib.qemu import StartError
from lib.qmp import QmpError
from lib.workspace import Workspace

INTRODUCTION = (
    "The disk of a Linux guest is a chain of three qcow2 images. They belong to root, mode 0600, "
    f"in a directory of mode 0700. QEMU is Debian's own and runs as uid {settings.VM_UID}, which "
    "owns nothing. Every file it uses is opened by openhookd, if an administrator granted it."
)


class Demo:
    """One pass through all steps; close() leaves nothing behind."""

    def __init__(self, say: Narrator, cleanup: ExitStack) -> None:
        self._say = say
        self._cleanup = cleanup
        self._workspace = Workspace("openhook-demo-")
        cleanup.callback(self._workspace.remove)
        self._access = Brokered(self._workspace)
        cleanup.callback(self._access.stop)
        self._names: dict[str, str] = {str(self._workspace.images): "images"}
        self._names[str(settings.GUEST_DIR)] = "guest"

    def run(self) -> None:
        self._prepare()
        self._without_the_broker()
        self._with_the_broker()
        self._snapshot_and_commit()
        self._rewritten_header()
        self._check_the_data()
        self._decisions()

    def _prepare(self) -> None:
        self._say.step("The disk of the guest")
        guest.prepare()
        base, middle, self._top = guest.make_disk(self._workspace.images)
        self._data = images.create(self._workspace.images / "data.qcow2")
        self._show_files([base, middle, self._top])

    def _show_files(self, chain: list[Path]) -> None:
        rows = []
        for path in [self._workspace.images, *chain, self._data]:
            status = path.stat()
            backing = images.backing_of(path) if path.is_file() else None
            what = f"on top of {Path(backing).name}" if backing else ""
            mode = f"{status.st_mode & 0o777:04o}"
            rows.append((mode, path.owner(), self._short(str(path)), what))
        self._say.table(("mode", "owner", "file", ""), rows)

    def _without_the_broker(self) -> None:
        self._say.step("The same QEMU without the broker")
        self._say.tried(f"qemu-system-x86_64 as uid {settings.VM_UID} on images/top.qcow2")
        alone = self._new_guest(Unprivileged(), "qemu-alone.log")
        words = "it started"
        try:
            alone.start(self._top)
        except StartError as error:
            words = str(error).strip().splitlines()[-1]
        self._say.happened(f"QEMU: {self._short(words)}")
        self._say.check("Permission denied" in words, "it cannot open its disk")

    def _with_the_broker(self) -> None:
        self._say.step("The same QEMU with the broker")
        self._access.start()
        self._say.tried("openhookctl grant images/top.qcow2 --chain --format qcow2 --write")
        self._access.grant_chain(self._top)
        for file in guest.boot_files():
            self._access.grant_read(file, lease="boot")
        self._say.happened("top.qcow2 may be read and written, what it stands on may be read")
        self._say.tried("openhook-qemu -- qemu-system-x86_64 ..., otherwise unchanged")
        self._guest = self._new_guest(self._access, "qemu.log")
        started = time.monotonic()
        self._guest.start(self._top)
        self._guest.wait_booted()
        seconds = time.monotonic() - started
        uid = Path(f"/proc/{self._guest.vm.pid}").stat().st_uid
        booted = f"Linux booted in {seconds:.1f} s, QEMU has uid {uid}"
        self._say.check(uid == settings.VM_UID, booted)
        self._guest.ask("start")
        self._say.check(self._records() > 0, "the guest writes numbered records to its disk")

    def _new_guest(self, access: Access, log: str) -> Guest:
        new = Guest(access, self._workspace.logs / log)
        self._cleanup.callback(new.close)
        return new

    def _records(self) -> int:
        """Waits for more records and gives their number."""
        before = int(self._guest.ask("count"))
        deadline = time.monotonic() + settings.DEADLINE
        while (now := int(self._guest.ask("count"))) < before + 5:
            if time.monotonic() > deadline:
                raise DemoFailure("the guest has stopped writing")
        return now

    def _snapshot_and_commit(self) -> None:
        self._say.step("An external snapshot and an active commit while the guest writes")
        overlay = self._workspace.images / "overlay.qcow2"
        self._say.tried("openhookctl grant images/overlay.qcow2 --create --lease job:backup")
        self._access.grant_create(overlay, lease="job:backup")
        self._say.tried("QMP blockdev-snapshot-sync to overlay.qcow2")
        self._guest.snapshot(overlay)
        self._say.check(self._records() > 0, "the guest writes to overlay.qcow2")
        held = held_files(self._guest.vm.pid, self._workspace.images)
        writable = {one.path for one in held if one.writable}
        self._say.check(writable == {str(overlay)}, "QEMU has closed top.qcow2 for writing")
        self._say.tried("QMP block-commit of overlay.qcow2 into top.qcow2; the lease ends")
        self._guest.commit()
        self._access.revoke("job:backup")
        written = self._records()
        self._say.check(written > 0, f"the guest writes to top.qcow2 again, {written} records")

    def _rewritten_header(self) -> None:
        self._say.step("A QEMU that was taken over rewrites an image header")
        self._access.grant_write(self._data, lease="device:data")
        images.rewrite_backing(self._data, "/etc/shadow")
        self._say.tried("images/data.qcow2, which the VM may write, now names /etc/shadow")
        self._say.tried("QMP blockdev-add of images/data.qcow2")
        words = "it was opened"
        try:
            file = {"driver": "file", "filename": str(self._data)}
            self._guest.vm.blockdev_add({"driver": "qcow2", "node-name": "data", "file": file})
        except QmpError as error:
            words = error.description
        self._say.happened(f"QEMU: {self._short(words)}")
        refused = "/etc/shadow" in words and "Permission denied" in words
        self._say.check(refused, "the broker refused; a header is a request, not a permission")
        written = self._records()
        self._say.check(written > 0, f"the guest lives and writes, {written} records so far")
        wrong = self._access.complaints(self._guest.vm.pid)
        held = "QEMU holds nothing but granted files, the broker holds none at all"
        self._say.check(not wrong, "; ".join(wrong) or held)

    def _check_the_data(self) -> None:
        self._say.step("The data")
        self._guest.ask("stop")
        records = self._guest.ask("count")
        inside = self._guest.ask("sum")
        self._guest.power_off()
        outside = guest.records_of(self._top, self._workspace.images)
        self._say.happened(f"SHA-256 {inside[:32]}...  {records} records, read by the guest")
        self._say.happened(f"SHA-256 {outside[:32]}...  the file in images/top.qcow2, read by root")
        self._say.check(inside == outside, "guest and image agree, no record is lost")

    def _decisions(self) -> None:
        self._say.step("What the broker decided about opens (openhookctl watch)")
        counted: Counter[tuple[str, ...]] = Counter()
        for event in self._access.broker.events():
            if event["operation"] == "open":
                key = (event["verdict"], event["access"], self._short(event["path"]), event["rule"])
                counted[key] += 1 + event["repeated"]
        rows = [(v, str(n), access, path, rule) for (v, access, path, rule), n in counted.items()]
        self._say.table(("verdict", "times", "access", "file", "rule"), rows)
        self._say.happened('"fail": granted, but the file was not there yet')

    def _short(self, text: str) -> str:
        """Without the long names of temporary directories."""
        for long, short in self._names.items():
            text = text.replace(long, short)
        return text


def main() -> int:
    say = Narrator()
    say.title("openhook: a VM whose disks only the broker can open", INTRODUCTION)
    try:
        with ExitStack() as cleanup:
            Demo(say, cleanup).run()
    except DemoFailure:
        print("\nDEMO FAILED")
        return 1
    except Exception:  # whatever it is, the verdict comes last
        traceback.print_exc()
        print("\nDEMO FAILED")
        return 1
    print("\nDEMO PASSED")
    return 0


if __name__ == "__main__":
    sys.exit(main())
