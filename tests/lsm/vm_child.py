# SPDX-License-Identifier: LGPL-2.1-or-later
"""A process of a VM that does one thing in the VM's profile and tells what came of it. It is forked,
not executed: the profile lets QEMU run and no Python.
"""

import json
import os
import pathlib
import socket

from client import NOT_MINE, READ_WRITE, OpenConnection, ProtocolError  # found where PYTHONPATH says
from lib import settings

ARRIVED, DROPPED, LEFT_TO_THE_KERNEL = "arrived", "dropped by the kernel", "not the broker's"


class VmChild:
    """Runs `what` under `profile`, or unconfined without one, and lives until end()."""

    def __init__(self, profile, what, *arguments):
        self._ours, theirs = socket.socketpair()
        self._ours.settimeout(settings.DEADLINE)
        self.pid = os.fork()
        if self.pid == 0:
            self._ours.close()
            _run(theirs, profile, what, arguments)
        theirs.close()
        with self._ours.makefile() as answers:
            self.told = json.loads(answers.readline())

    def end(self):
        self._ours.close()
        os.waitpid(self.pid, 0)


def in_profile(profile, what, *arguments):
    """What came of it; the process is gone again."""
    child = VmChild(profile, what, *arguments)
    child.end()
    return child.told


def _run(parent, profile, what, arguments):
    try:
        _become_vm(profile)
        told = what(*arguments)
    except OSError as error:
        told = os.strerror(error.errno)
    except BaseException as error:
        told = repr(error)
    parent.sendall(json.dumps(told).encode() + b"\n")
    parent.recv(1)
    os._exit(0)


def _become_vm(profile):
    os.setgroups([])
    os.setresgid(*[settings.VM_UID] * 3)
    os.setresuid(*[settings.VM_UID] * 3)
    if profile:
        pathlib.Path("/proc/thread-self/attr/current").write_text(f"changeprofile {profile}")


def greeted(where):
    connection = OpenConnection(str(where))
    try:
        return connection.greeted()
    except BaseException:
        connection.close()
        raise


def ask(where, path):
    """One file of the broker at `where`."""
    try:
        with greeted(where) as connection:
            return ask_on(connection, path)
    except ProtocolError as error:
        return str(error)


def ask_on(connection, path):
    try:
        reply = connection.open(str(path), READ_WRITE)
    except PermissionError:
        return DROPPED
    if reply["outcome"] == NOT_MINE:
        return LEFT_TO_THE_KERNEL
    return reply["reason"] if reply["fd"] is None else ARRIVED


def pass_file_on(where, path, channel):
    """Asks for the file and sends it on; tells the number of the descriptor, which it keeps."""
    with greeted(where) as connection:
        descriptor = connection.open(str(path), READ_WRITE)["fd"]
    socket.send_fds(channel, [b"x"], [descriptor])
    return descriptor


def pass_connection_on(where, channel):
    with greeted(where) as connection:
        socket.send_fds(channel, [b"x"], [connection.socket.fileno()])
    return ARRIVED


def pass_again(channel, another):
    """A process in the middle."""
    _, received, _, _ = socket.recv_fds(channel, 1, 1)
    socket.send_fds(another, [b"x"], received)
    return len(received)


def receive(channel):
    _, received, _, _ = socket.recv_fds(channel, 1, 1)
    return ARRIVED if received else DROPPED


def ask_on_received_connection(channel, path):
    _, received, _, _ = socket.recv_fds(channel, 1, 1)
    connection = OpenConnection.__new__(OpenConnection)
    connection.socket, connection.last_id = socket.socket(fileno=received[0]), 1
    # Its first owner's deadline made it non-blocking, which has travelled with it.
    connection.socket.settimeout(settings.DEADLINE)
    with connection:
        return ask_on(connection, path)
