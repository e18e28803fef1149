# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client of the openhook protocol, written from docs/protocol.md alone.

It shares nothing with the broker: the wire format, the field numbers and the rules for descriptors
are written down here a second time, so that an error on either side shows.
"""

import array
import os
import socket
import struct

OK, DENIED, FAILED, NOT_MINE, BAD_REQUEST, UNSUPPORTED = 1, 2, 3, 4, 5, 6
READ, WRITE, READ_WRITE = 1, 2, 3
GRANT_READ, GRANT_READ_WRITE, GRANT_CREATE = 1, 2, 3

OPEN_PACKET = 16 * 1024
CONTROL_PACKET = 128 * 1024
MAX_DESCRIPTORS = 253


class ProtocolError(Exception):
    """The other side broke the rules of docs/protocol.md."""


class Closed(Exception):
    """The other side closed the connection."""


# --- The wire format -------------------------------------------------------------------------

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def encode_varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode_varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ProtocolError("varint without an end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value & ((1 << 64) - 1), at


def encode_fields(fields):
    """fields: (number, wire type, value) in order."""
    out = b""
    for number, wire_type, value in fields:
        out += encode_varint(number << 3 | wire_type)
        if wire_type == VARINT:
            out += encode_varint(value)
        elif wire_type == FIXED64:
            out += struct.pack("<Q", value)
        else:
            out += encode_varint(len(value)) + value
    return out


def decode_fields(data):
    """Yields (number, wire type, value)."""
    at = 0
    while at < len(data):
        tag, at = decode_varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == VARINT:
            value, at = decode_varint(data, at)
        elif wire_type in (FIXED64, FIXED32):
            size = 8 if wire_type == FIXED64 else 4
            value = int.from_bytes(data[at:at + size], "little")
            at += size
        elif wire_type == BYTES:
            size, at = decode_varint(data, at)
            value = data[at:at + size]
            at += size
        else:
            raise ProtocolError(f"wire type {wire_type}")
        if at > len(data):
            raise ProtocolError("field longer than its message")
        yield number, wire_type, value


def signed(value):
    return value - (1 << 64) if value >= 1 << 63 else value


# --- The messages ----------------------------------------------------------------------------
# Each is a table: field name -> (number, kind). A kind is one of the words below, a table (a
# message), or a list of one kind (repeated).

UINT, INT, BOOL, TEXT, RAW, FIXED = "uint", "int", "bool", "text", "raw", "fixed64"

HELLO = {"min_version": (1, UINT), "max_version": (2, UINT), "program": (3, TEXT)}
HELLO_REPLY = {"version": (1, UINT), "max_packet": (2, UINT), "vm": (3, TEXT), "server": (4, TEXT)}
OPEN_REQUEST = {
    "path": (1, RAW), "cwd": (2, RAW), "access": (3, UINT), "direct": (4, BOOL), "sync": (5, BOOL),
    "data_sync": (6, BOOL), "append": (7, BOOL), "truncate": (8, BOOL), "create": (9, BOOL),
    "exclusive": (10, BOOL), "nonblock": (11, BOOL), "no_follow": (12, BOOL), "mode": (13, UINT),
    "other_flags": (14, UINT), "token": (15, FIXED)}
STAT_REQUEST = {"path": (1, RAW), "cwd": (2, RAW), "no_follow": (3, BOOL)}
ACCESS_REQUEST = {"path": (1, RAW), "cwd": (2, RAW), "read": (3, BOOL), "write": (4, BOOL),
                  "execute": (5, BOOL)}
UNLINK_REQUEST = {"path": (1, RAW), "cwd": (2, RAW)}
STAT_REPLY = {
    "dev": (1, UINT), "ino": (2, UINT), "mode": (3, UINT), "nlink": (4, UINT), "uid": (5, UINT),
    "gid": (6, UINT), "rdev": (7, UINT), "size": (8, INT), "blksize": (9, UINT),
    "blocks": (10, INT), "atime_sec": (11, INT), "atime_nsec": (12, UINT), "mtime_sec": (13, INT),
    "mtime_nsec": (14, UINT), "ctime_sec": (15, INT), "ctime_nsec": (16, UINT)}
REQUEST = {"id": (1, UINT), "hello": (2, HELLO), "open": (3, OPEN_REQUEST),
           "stat": (4, STAT_REQUEST), "access": (5, ACCESS_REQUEST), "unlink": (6, UNLINK_REQUEST)}
REPLY = {"id": (1, UINT), "outcome": (2, UINT), "sys_errno": (3, INT), "descriptor": (4, BOOL),
         "reason": (5, TEXT), "hello": (6, HELLO_REPLY), "stat": (7, STAT_REPLY)}

GRANT_SPEC = {
    "path": (1, RAW), "aliases": (2, [RAW]), "access": (3, UINT), "source": (4, TEXT),
    "format": (5, TEXT), "role": (6, TEXT), "depth": (7, UINT), "expected_dev": (8, UINT),
    "expected_ino": (9, UINT), "shareable": (10, BOOL)}
GRANT_INFO = {
    "id": (1, UINT), "lease": (2, TEXT), "path": (3, RAW), "aliases": (4, [RAW]),
    "access": (5, UINT), "kind": (6, UINT), "source": (7, TEXT), "format": (8, TEXT),
    "role": (9, TEXT), "depth": (10, UINT), "dev": (11, UINT), "ino": (12, UINT),
    "mount_id": (13, UINT), "created_unix": (14, INT), "stale": (15, BOOL),
    "ended_unix": (16, INT), "shareable": (17, BOOL)}
CHANGE_REPLY = {"generation": (1, UINT), "grants": (2, [GRANT_INFO]),
                "still_held": (3, [GRANT_INFO])}
JOB_BEGIN = {
    "id": (1, TEXT), "kind": (2, UINT), "disk": (3, RAW), "lease": (4, TEXT), "top": (5, RAW),
    "base": (6, RAW), "write": (7, BOOL), "shallow": (8, BOOL), "targets": (9, [GRANT_SPEC]),
    "owner": (10, TEXT), "owner_pid": (11, INT)}
JOB_INFO = {
    "id": (1, TEXT), "kind": (2, UINT), "state": (3, UINT), "disk": (4, RAW), "top": (5, RAW),
    "base": (6, RAW), "write": (7, BOOL), "shallow": (8, BOOL), "targets": (9, [RAW]),
    "owner": (10, TEXT), "owner_pid": (11, INT), "owner_state": (12, UINT),
    "started_unix": (13, INT), "ended_unix": (14, INT)}
HOLDER = {"pid": (1, INT), "program": (2, TEXT), "write": (3, BOOL)}
CHAIN_IMAGE = {"path": (1, RAW), "format": (2, TEXT), "parts": (3, [RAW])}
CHAIN_INFO = {"disk": (1, RAW), "lease": (2, TEXT), "writable": (3, BOOL),
              "images": (4, [CHAIN_IMAGE])}
EVENT = {
    "seq": (1, UINT), "time_unix_ns": (2, INT), "operation": (3, TEXT), "path": (4, RAW),
    "access": (5, TEXT), "verdict": (6, TEXT), "rule": (7, TEXT), "reason": (8, TEXT),
    "remedy": (9, TEXT), "leases": (10, [TEXT]), "pid": (11, INT), "uid": (12, UINT),
    "gid": (13, UINT), "label": (14, TEXT), "repeated_times": (15, UINT)}
STATUS_REPLY = {
    "vm": (1, TEXT), "version": (2, TEXT), "pid": (3, INT), "started_unix": (4, INT),
    "generation": (5, UINT), "grants": (6, UINT), "leases": (7, UINT), "created_files": (8, UINT),
    "open_sessions": (9, UINT), "allowed": (10, UINT), "denied": (11, UINT), "failed": (12, UINT),
    "state_dir": (13, TEXT), "run_dir": (14, TEXT), "vm_uid": (15, UINT), "peer_label": (16, TEXT),
    "security_module": (40, TEXT), "label_level": (41, TEXT), "label_sentence": (42, TEXT),
    "openat2": (17, TEXT), "landlock_abi": (18, INT)}
CONTROL_REQUEST = {
    "id": (1, UINT), "hello": (2, HELLO),
    "grant": (3, {"lease": (1, TEXT), "grants": (2, [GRANT_SPEC]), "disk": (3, RAW),
                  "accept_drift": (4, BOOL), "disk_writable": (5, BOOL)}),
    "revoke": (4, {"lease": (1, TEXT), "paths": (2, [RAW])}),
    "list": (5, {"after_id": (1, UINT), "limit": (2, UINT)}),
    "status": (6, {}),
    "explain": (7, {"path": (1, RAW), "write": (2, BOOL), "create": (3, BOOL)}),
    "watch": (8, {"last": (1, UINT), "follow": (2, BOOL)}),
    "job_begin": (9, JOB_BEGIN),
    "job_end": (10, {"id": (1, TEXT), "outcome": (2, UINT)}),
    "job_list": (11, {"after_id": (1, TEXT), "all": (2, BOOL)}),
    "holders": (12, {"path": (1, RAW)}),
    "chain_list": (13, {"after_disk": (1, RAW)})}
CONTROL_REPLY = {
    "id": (1, UINT), "outcome": (2, UINT), "code": (3, TEXT), "reason": (4, TEXT),
    "hello": (5, HELLO_REPLY),
    "change": (6, CHANGE_REPLY),
    "list": (7, {"generation": (1, UINT), "grants": (2, [GRANT_INFO]), "more": (3, BOOL)}),
    "status": (8, STATUS_REPLY),
    "explain": (9, {"allow": (1, BOOL), "rule": (2, TEXT), "reason": (3, TEXT),
                    "remedy": (4, TEXT), "grants": (5, [GRANT_INFO]), "recent": (6, [EVENT])}),
    "watch": (10, {"events": (1, [EVENT]), "end": (2, BOOL)}),
    "job": (11, {"job": (1, JOB_INFO), "change": (2, CHANGE_REPLY)}),
    "job_list": (12, {"jobs": (1, [JOB_INFO]), "more": (2, BOOL)}),
    "holders": (13, {"holders": (1, [HOLDER]), "grants": (2, [GRANT_INFO])}),
    "chain_list": (14, {"chains": (1, [CHAIN_INFO]), "more": (2, BOOL)})}

WIRE_TYPES = {UINT: VARINT, INT: VARINT, BOOL: VARINT, FIXED: FIXED64, TEXT: BYTES, RAW: BYTES}
ZEROS = {UINT: 0, INT: 0, BOOL: False, FIXED: 0, TEXT: "", RAW: b""}


def encode(table, values):
    """A message as bytes; `values` holds the fields that are to be written."""
    fields = []
    for name, value in values.items():
        number, kind = table[name]
        repeated = isinstance(kind, list)
        for element in value if repeated else [value]:
            fields.append(_encode_one(number, kind[0] if repeated else kind, element))
    fields.sort(key=lambda field: field[0])  # stable, so repeated ones keep their order
    return encode_fields(fields)


def _encode_one(number, kind, value):
    if isinstance(kind, dict):
        return number, BYTES, encode(kind, value)
    if kind == TEXT:
        value = value.encode()
    elif kind == RAW:
        value = os.fsencode(value)
    elif kind != FIXED:
        value = int(value)
    return number, WIRE_TYPES[kind], value


def decode(table, data):
    """A message as a dict: scalars that are absent have their zero, absent bodies are missing."""
    by_number = {number: (name, kind) for name, (number, kind) in table.items()}
    values = {}
    for name, (_, kind) in table.items():
        if isinstance(kind, list):
            values[name] = []
        elif not isinstance(kind, dict):
            values[name] = ZEROS[kind]
    for number, wire_type, value in decode_fields(data):
        if number not in by_number:
            continue
        name, kind = by_number[number]
        element = kind[0] if isinstance(kind, list) else kind
        expected = BYTES if isinstance(element, dict) else WIRE_TYPES[element]
        if wire_type != expected:
            raise ProtocolError(f"field {name} has wire type {wire_type}")
        if isinstance(kind, list):
            values[name].append(_decode_one(element, value))
        else:
            values[name] = _decode_one(element, value)
    return values


def _decode_one(kind, value):
    if isinstance(kind, dict):
        return decode(kind, value)
    if kind == TEXT:
        return value.decode()
    if kind == INT:
        return signed(value)
    if kind == BOOL:
        return bool(value)
    return value


# --- Connections -----------------------------------------------------------------------------


class Connection:
    """A SOCK_SEQPACKET connection, not yet greeted. Replies are dicts."""

    request_table = None
    reply_table = None
    max_packet = None

    def __init__(self, path, timeout=20):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self.last_id = 0

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send_packet(self, packet):
        try:
            self.socket.send(packet, socket.MSG_NOSIGNAL)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Closed from error

    def receive_packet(self):
        """(bytes, [descriptors]); the caller owns the descriptors."""
        space = socket.CMSG_SPACE(MAX_DESCRIPTORS * 4) + socket.CMSG_SPACE(4)
        try:
            data, control, flags, _ = self.socket.recvmsg(self.max_packet, space,
                                                          socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError as error:
            raise Closed from error
        descriptors = array.array("i")
        for level, kind, payload in control:
            if (level, kind) != (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                raise ProtocolError("foreign control data")
            descriptors.frombytes(payload[:len(payload) - len(payload) % 4])
        problem = self._problem(data, descriptors, len(control), flags)
        if problem:
            for descriptor in descriptors:
                os.close(descriptor)
            raise problem
        return data, list(descriptors)

    @staticmethod
    def _problem(data, descriptors, headers, flags):
        if flags & socket.MSG_TRUNC:
            return ProtocolError("packet larger than allowed")
        if flags & socket.MSG_CTRUNC:
            return PermissionError("the descriptor was dropped on this side: a security module "
                                   "refused it, or the descriptor table is full")
        if headers > 1 or len(descriptors) > 1:
            return ProtocolError("more than one descriptor")
        return None if data else Closed()

    def receive_reply(self):
        data, descriptors = self.receive_packet()
        reply = decode(self.reply_table, data)
        if bool(descriptors) != reply.get("descriptor", False):
            for descriptor in descriptors:
                os.close(descriptor)
            raise ProtocolError("descriptor and announcement do not agree")
        reply["fd"] = descriptors[0] if descriptors else None
        return reply

    def send_request(self, **body):
        self.last_id += 1
        self.send_packet(encode(self.request_table, {"id": self.last_id, **body}))
        return self.last_id

    def call(self, **body):
        sent = self.send_request(**body)
        reply = self.receive_reply()
        if reply["id"] != sent:
            raise ProtocolError(f"reply to {reply['id']}, asked {sent}")
        return reply

    def hello(self, lowest=1, highest=1):
        return self.call(hello={"min_version": lowest, "max_version": highest, "program": "client.py"})

    def greeted(self):
        reply = self.hello()
        if reply["outcome"] != OK or reply["hello"]["version"] != 1:
            raise ProtocolError(f"greeting refused: {reply['reason']}")
        return self


class OpenConnection(Connection):
    request_table, reply_table, max_packet = REQUEST, REPLY, OPEN_PACKET

    def open(self, path, access=READ, **fields):
        return self.call(open={"path": path, "access": access, **fields})


class ControlConnection(Connection):
    request_table, reply_table, max_packet = CONTROL_REQUEST, CONTROL_REPLY, CONTROL_PACKET

    def grant(self, path, access=GRANT_READ, lease="test", **fields):
        return self.call(grant={"lease": lease,
                                "grants": [{"path": path, "access": access, **fields}]})
