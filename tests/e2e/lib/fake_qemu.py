# SPDX-License-Identifier: LGPL-2.1-or-later
"""A QEMU that a guest has taken over: it has the monitors' sockets and tells whatever it likes.

    fake_qemu.py SECRET [QEMU's arguments]

On every connection: greeting, and to each command an answer that claims success, followed by events
that complete jobs which nobody has, nodes that lead to SECRET, answers to questions that were not
asked, and lines that are no JSON.
"""

import json
import re
import socket
import sys
import threading
from typing import Any


def message(**fields: Any) -> bytes:
    return json.dumps(fields).encode() + b"\r\n"


def lies(secret: str) -> list[bytes]:
    """What it says without being asked."""
    status = [message(event="JOB_STATUS_CHANGE", data={"id": job, "status": how})
              for job in ("job0", "qmp-1-job0", "") for how in ("created", "concluded", "null")]
    return status + [
        message(event="BLOCK_JOB_COMPLETED", data={"device": "x", "type": "mirror", "target": secret}),
        message(event="MIGRATION", data={"status": "completed"}),
        message(event="DEVICE_DELETED", data={"device": "vda", "path": secret}),
        message(execute="blockdev-add", arguments={"driver": "file", "node-name": "s",
                                                   "filename": secret}),
        message(**{"return": [{"node-name": "s", "file": secret, "drv": "file"}], "id": "none"}),
        b'{"event":' + b"[" * 100_000 + b"\r\n",
        b"\xff\xfe\r\n",
    ]


def serve(connection: socket.socket, secret: str) -> None:
    connection.sendall(message(QMP={"version": {}, "capabilities": ["oob"]}))
    for line in connection.makefile("rb"):
        command = json.loads(line)
        if command["execute"] == "qmp_capabilities":
            connection.sendall(message(**{"return": {}}, **id_of(command)))
            connection.sendall(b"".join(lies(secret)))
            continue
        result: Any = {}
        if command["execute"] == "query-named-block-nodes":
            result = [{"node-name": "s", "file": secret, "drv": "qcow2"}]
        elif command["execute"] == "query-jobs":
            result = [{"id": "job0", "status": "concluded", "type": "mirror"}]
        connection.sendall(message(**{"return": result}, **id_of(command)))
        connection.sendall(b"".join(lies(secret)))


def id_of(command: dict[str, Any]) -> dict[str, Any]:
    return {"id": command["id"]} if "id" in command else {}


def listen(number: int, secret: str) -> None:
    with socket.socket(fileno=number) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection, secret), daemon=True).start()


def main() -> None:
    numbers = [int(found) for word in sys.argv for found in re.findall(r"server=on.*fd=(\d+)", word)]
    for number in numbers[1:]:
        threading.Thread(target=listen, args=(number, sys.argv[1]), daemon=True).start()
    listen(numbers[0], sys.argv[1])


if __name__ == "__main__":
    main()
