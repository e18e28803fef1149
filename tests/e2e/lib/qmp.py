# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client of the QEMU Machine Protocol: JSON lines, commands and events, all with a deadline."""

import json
import socket
import time
from typing import Any, Callable, Optional

from lib import settings

Message = dict[str, Any]


class QmpError(Exception):
    """QEMU answered a command with an error; str() is QEMU's own sentence."""

    def __init__(self, command: str, error: Message) -> None:
        super().__init__(f"{command}: {error.get('desc', error)}")
        self.description: str = error.get("desc", "")


class QmpClosed(Exception):
    """QEMU closed the monitor, which means that it ended."""


class Qmp:
    """One monitor connection, used by one thread."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer = b""
        self._events: list[Message] = []
        self._receive(time.monotonic() + settings.DEADLINE)  # the greeting
        self.execute("qmp_capabilities")

    def execute(
        self, command: str, arguments: Optional[Message] = None, timeout: float = settings.DEADLINE
    ) -> Any:
        """Runs `command` and gives its return value; events that arrive meanwhile are kept."""
        self.send(command, arguments)
        return self.answer(command, timeout)

    def send(self, command: str, arguments: Optional[Message] = None) -> None:
        """Sends `command` without waiting; answer() must follow."""
        request = {"execute": command, "arguments": arguments or {}}
        self._socket.sendall(json.dumps(request).encode() + b"\n")

    def send_with_descriptor(self, line: bytes, descriptor: int) -> None:
        """Sends a command as it is, with an open file; answer() must follow."""
        socket.send_fds(self._socket, [line], [descriptor])

    def answer(self, command: str, timeout: float = settings.DEADLINE) -> Any:
        """The return value of a `command` sent before."""
        deadline = time.monotonic() + timeout
        while True:
            message = self._receive(deadline)
            if "event" in message:
                self._events.append(message)
            elif "error" in message:
                raise QmpError(command, message["error"])
            else:
                return message["return"]

    def hmp(self, line: str) -> str:
        """A command of the human monitor, for what QMP does not have."""
        return str(self.execute("human-monitor-command", {"command-line": line}))

    def wait_event(
        self,
        name: str,
        matches: Callable[[Message], bool] = lambda data: True,
        timeout: float = settings.DEADLINE,
    ) -> Message:
        """The data of the first event `name` that `matches`; earlier events are not lost."""
        deadline = time.monotonic() + timeout
        position = 0
        while True:
            while position < len(self._events):
                event = self._events[position]
                if event["event"] == name and matches(event.get("data", {})):
                    return self._events.pop(position).get("data", {})
                position += 1
            self._events.append(self._receive(deadline))

    def close(self) -> None:
        self._socket.close()

    def _receive(self, deadline: float) -> Message:
        while b"\n" not in self._buffer:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            data = self._socket.recv(65536)
            if not data:
                raise QmpClosed("QEMU closed the monitor")
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        message: Message = json.loads(line)
        return message
