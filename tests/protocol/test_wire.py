# SPDX-License-Identifier: LGPL-2.1-or-later
"""The client's own wire format against the worked examples of docs/protocol.md."""

import unittest

import client
from client import CONTROL_REQUEST, REPLY, REQUEST, decode, encode


class WorkedExamples(unittest.TestCase):
    OPEN = "08071a180a122f7372762f766d2f6469736b2e71636f773218032001"
    CREATE = "08ac021a240a102f7372762f766d2f64756d702e62696e180248015001688003798877665544332211"

    def test_an_open_request_encodes_to_the_bytes_of_the_page(self):
        packet = encode(REQUEST, {"id": 7, "open": {"path": "/srv/vm/disk.qcow2", "access": 3,
                                                    "direct": True}})
        self.assertEqual(packet.hex(), self.OPEN)

    def test_a_create_request_encodes_to_the_bytes_of_the_page(self):
        packet = encode(REQUEST, {"id": 300, "open": {
            "path": "/srv/vm/dump.bin", "access": 2, "create": True, "exclusive": True,
            "mode": 0o600, "token": 0x1122334455667788}})
        self.assertEqual(packet.hex(), self.CREATE)

    def test_replies_decode_as_the_page_says(self):
        granted = decode(REPLY, bytes.fromhex("080710012001"))
        self.assertEqual((granted["id"], granted["outcome"], granted["descriptor"]), (7, 1, True))
        refused = decode(REPLY, bytes.fromhex("08ac021002180d2a086e6f206772616e74"))
        self.assertEqual((refused["id"], refused["outcome"], refused["sys_errno"],
                          refused["reason"], refused["descriptor"]),
                         (300, 2, 13, "no grant", False))

    def test_a_negative_number_takes_ten_bytes(self):
        self.assertEqual(client.encode_varint(-1).hex(), "ffffffffffffffffff01")
        reply = decode(REPLY, bytes.fromhex("18ffffffffffffffffff01"))
        self.assertEqual(reply["sys_errno"], -1)


class Decoding(unittest.TestCase):
    def test_unknown_fields_of_every_wire_type_are_skipped(self):
        unknown = client.encode_fields([(100, client.VARINT, 5), (101, client.FIXED64, 6),
                                        (102, client.BYTES, b"seven")])
        unknown += client.encode_varint(103 << 3 | client.FIXED32) + b"\1\2\3\4"
        reply = decode(REPLY, unknown + bytes.fromhex("0807"))
        self.assertEqual(reply["id"], 7)

    def test_repeated_messages_keep_their_order(self):
        packet = encode(CONTROL_REQUEST, {"id": 1, "grant": {"lease": "l", "grants": [
            {"path": "/b", "aliases": ["/x", "/a"]}, {"path": "/a"}]}})
        grant = decode(CONTROL_REQUEST, packet)["grant"]
        self.assertEqual([spec["path"] for spec in grant["grants"]], [b"/b", b"/a"])
        self.assertEqual(grant["grants"][0]["aliases"], [b"/x", b"/a"])

    def test_malformed_bytes_are_refused(self):
        for reason, packet in {
                "varint that never ends": "ff" * 11,
                "varint cut off": "0880",
                "length past the end": "2a05",
                "group, which proto3 does not have": "0b",
                "wrong wire type for a known field": "0a00",
                "fixed64 cut off": "a90601",
        }.items():
            with self.subTest(reason), self.assertRaises(client.ProtocolError):
                decode(REPLY, bytes.fromhex(packet))


if __name__ == "__main__":
    unittest.main()
