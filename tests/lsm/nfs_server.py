# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernel's own NFS server, mounted by the same machine, for a guest that nothing else runs in.

It can be stopped as a server that goes down is, or cut off as one behind a broken cable is. The
mount is hard, as a host has it for its images: a request waits until the server is back.
"""

import pathlib
import subprocess

EXPORT = pathlib.Path("/srv/nfs")
NFSD = pathlib.Path("/proc/fs/nfsd")
THREADS = "4"


def run(*argv):
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, argv))}: {done.stderr}")


def set_up():
    """Once for each guest."""
    EXPORT.mkdir(parents=True)
    pathlib.Path("/etc/exports").write_text(f"{EXPORT} 127.0.0.1(rw,no_root_squash,no_subtree_check)\n")
    run("mount", "-t", "nfsd", "nfsd", NFSD)
    pathlib.Path("/run/rpc_pipefs").mkdir()
    run("mount", "-t", "rpc_pipefs", "rpc_pipefs", "/run/rpc_pipefs")
    run("rpcbind", "-w")
    run("rpc.statd")
    run("exportfs", "-ra")
    serve()
    run("rpc.mountd")


def serve():
    """Starts the server, without the minute and a half in which it waits for its old clients."""
    pathlib.Path("/proc/sys/fs/nfs/nlm_grace_period").write_text("1")
    run("rpc.nfsd", THREADS)
    (NFSD / "v4_end_grace").write_text("Y")


class NfsServer:
    """A mount of its own; what is in `backing` is there, too."""

    version, options = "4.2", ""
    made = 0

    def __init__(self):
        NfsServer.made += 1
        name = f"{NfsServer.made}"
        self.backing, self.where = EXPORT / name, pathlib.Path("/mnt", name)
        self.backing.mkdir()
        self.where.mkdir()
        run("mount", "-t", "nfs", "-o", f"vers={self.version},hard{self.options}",
            f"127.0.0.1:{self.backing}", self.where)
        self.serves = self.connected = True

    def write(self, name, content=b"content"):
        (self.backing / name).write_bytes(content)
        return str(self.where / name)

    def stop(self):
        """The server goes down, and refuses connections."""
        run("rpc.nfsd", "0")
        self.serves = False

    def cut_off(self):
        """The server goes on, but nothing reaches it any more."""
        run("ip", "link", "set", "lo", "down")
        self.connected = False

    def go_on(self):
        if not self.connected:
            run("ip", "link", "set", "lo", "up")
        if not self.serves:
            serve()
        self.serves = self.connected = True

    # What a silent file system is told before it is unmounted.
    speak = go_on

    def end(self):
        self.go_on()
        run("umount", "-f", self.where)


class NfsServer3(NfsServer):
    version = "3"


class CachedNfsServer3(NfsServer3):
    """What is known of a file is believed without asking the server."""

    options = ",nocto,actimeo=600"
