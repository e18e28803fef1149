# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rules of docs/protocol.md that hold on both sockets, against a real openhookd."""

import array
import errno
import os
import socket
import unittest

import client
from broker import Broker
from broker_test import BrokerTest
from client import (BAD_REQUEST, DENIED, GRANT_READ_WRITE, OK, READ, UNSUPPORTED, Closed,
                    ControlConnection, OpenConnection)


class Greeting(BrokerTest):
    def test_tells_version_size_and_vm_on_both_sockets(self):
        for kind, path, size in ((OpenConnection, self.broker.open_socket, 16 * 1024),
                                 (ControlConnection, self.broker.control_socket, 128 * 1024)):
            with self.subTest(path), kind(path) as connection:
                reply = connection.hello()
                self.assertEqual(reply["outcome"], OK)
                self.assertEqual(reply["hello"]["version"], 1)
                self.assertEqual(reply["hello"]["max_packet"], size)
                self.assertEqual(reply["hello"]["vm"], self.broker.vm)
                self.assertIn("openhookd", reply["hello"]["server"])

    def test_takes_version_1_out_of_a_wider_range(self):
        with OpenConnection(self.broker.open_socket) as connection:
            self.assertEqual(connection.hello(0, 9)["hello"]["version"], 1)

    def test_refuses_a_range_without_version_1(self):
        for kind, path in ((OpenConnection, self.broker.open_socket),
                           (ControlConnection, self.broker.control_socket)):
            for lowest, highest in ((2, 3), (0, 0), (3, 1)):
                with self.subTest(f"{kind.__name__} {lowest}..{highest}"), kind(path) as connection:
                    reply = connection.hello(lowest, highest)
                    self.assertEqual(reply["outcome"], UNSUPPORTED)
                    self.assertTrue(reply["reason"])
                    self.assert_closed(connection)

    def test_must_come_first(self):
        for kind, path, body in (
                (OpenConnection, self.broker.open_socket, {"open": {"path": "/x", "access": 1}}),
                (ControlConnection, self.broker.control_socket, {"status": {}})):
            with self.subTest(kind.__name__), kind(path) as connection:
                self.assertEqual(connection.call(**body)["outcome"], BAD_REQUEST)
                self.assert_closed(connection)

    def test_may_be_repeated(self):
        for connection in (self.data, self.control):
            with self.subTest(type(connection).__name__):
                self.assertEqual(connection.hello()["hello"]["version"], 1)


class BrokenPeers(BrokerTest):
    def test_garbage_is_a_bad_request_and_the_end(self):
        for connection in (self.data, self.control):
            with self.subTest(type(connection).__name__):
                connection.send_packet(b"\xff\xff\xff\xff")
                self.assertEqual(connection.receive_reply()["outcome"], BAD_REQUEST)
                self.assert_closed(connection)

    def test_an_unknown_body_is_unsupported_and_the_connection_goes_on(self):
        for connection in (self.data, self.control):
            with self.subTest(type(connection).__name__):
                connection.send_packet(client.encode_fields([(1, client.VARINT, 77),
                                                             (900, client.BYTES, b"")]))
                reply = connection.receive_reply()
                self.assertEqual((reply["id"], reply["outcome"]), (77, UNSUPPORTED))
        self.assertEqual(self.control.call(status={})["outcome"], OK)
        self.assertNotEqual(self.data.open("/nothing")["outcome"], UNSUPPORTED)

    def test_unknown_fields_are_skipped(self):
        path = self.granted("future.img")
        future = client.encode(client.OPEN_REQUEST, {"path": path, "access": READ})
        future += client.encode_fields([(500, client.BYTES, b"from the future")])
        self.data.send_packet(client.encode_fields([(1, client.VARINT, 5),
                                                    (3, client.BYTES, future)]))
        self.take(self.data.receive_reply())

    def test_a_packet_that_is_too_large_ends_the_connection(self):
        for connection in (self.data, self.control):
            with self.subTest(type(connection).__name__):
                connection.send_packet(b"\x0a" * (connection.max_packet + 1))
                self.assert_closed(connection)

    def test_a_descriptor_from_a_client_ends_the_connection(self):
        for connection in (self.data, self.control):
            with self.subTest(type(connection).__name__):
                packet = client.encode(connection.request_table, {"id": 1})
                rights = array.array("i", [0])
                connection.socket.sendmsg([packet], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                                      rights)])
                self.assert_closed(connection)

    def test_requests_of_the_other_socket_are_unknown(self):
        self.data.request_table = client.CONTROL_REQUEST
        for body in ({"explain": {"path": "/x"}}, {"watch": {"last": 1}}):
            with self.subTest(f"{body} on open.sock"):
                self.assertEqual(self.data.call(**body)["outcome"], UNSUPPORTED)

    def test_control_requests_do_nothing_on_open_sock(self):
        path = self.broker.write("smuggled.img")
        with OpenConnection(self.broker.open_socket).greeted() as connection:
            connection.request_table = client.CONTROL_REQUEST
            spec = {"path": path, "access": GRANT_READ_WRITE}
            reply = connection.call(grant={"lease": "test", "grants": [spec]})
            self.assertNotEqual(reply["outcome"], OK)
        self.assert_answer(self.data.open(path), DENIED, errno.EACCES)

    def test_open_requests_do_nothing_on_control_sock(self):
        path = self.granted("wrong-door.img")
        with ControlConnection(self.broker.control_socket).greeted() as connection:
            connection.request_table = client.REQUEST
            try:
                reply = connection.call(open={"path": path, "access": READ})
                self.assertNotEqual(reply["outcome"], OK)
                self.assertIsNone(reply["fd"])
            except Closed:
                pass


class GoldenBytes(BrokerTest):
    """Packets of protocol version 1 as they were on its first day. Never change them: a broker that
    does not understand them does not speak version 1."""

    HELLO = "0801120a080110011a0464656d6f"
    # id 7, open "/openhook-golden/disk.img", read-write, direct, not created
    OPEN = "08071a1f0a192f6f70656e686f6f6b2d676f6c64656e2f6469736b2e696d6718032001"
    STATUS = "08083200"

    def test_the_recorded_open_conversation_is_still_understood(self):
        with OpenConnection(self.broker.open_socket) as connection:
            connection.send_packet(bytes.fromhex(self.HELLO))
            data, _ = connection.receive_packet()
            self.assertTrue(data.startswith(bytes.fromhex("08011001 32")), data.hex())
            connection.send_packet(bytes.fromhex(self.OPEN))
            data, descriptors = connection.receive_packet()
            self.assertEqual(descriptors, [])
            # id 7, DENIED, EACCES, then the reason
            self.assertTrue(data.startswith(bytes.fromhex("08071002180d 2a")), data.hex())

    def test_the_recorded_status_request_is_still_understood(self):
        with ControlConnection(self.broker.control_socket) as connection:
            connection.send_packet(bytes.fromhex(self.HELLO))
            data, _ = connection.receive_packet()
            self.assertTrue(data.startswith(bytes.fromhex("08011001 2a")), data.hex())
            connection.send_packet(bytes.fromhex(self.STATUS))
            data, _ = connection.receive_packet()
            self.assertTrue(data.startswith(bytes.fromhex("08081001 42")), data.hex())


class Restart(unittest.TestCase):
    def test_grants_survive_a_broker_that_is_killed(self):
        broker = Broker()
        self.addCleanup(broker.stop)
        path = broker.write("kept.img", b"still here")
        with ControlConnection(broker.control_socket).greeted() as control:
            self.assertEqual(control.grant(path)["outcome"], OK)
        broker.kill()
        broker.start()
        with OpenConnection(broker.open_socket).greeted() as data:
            reply = data.open(path)
            self.assertEqual(reply["outcome"], OK, reply["reason"])
            self.assertEqual(os.read(reply["fd"], 100), b"still here")
            os.close(reply["fd"])


if __name__ == "__main__":
    unittest.main()
