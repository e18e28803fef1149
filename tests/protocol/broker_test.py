# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of both sockets share."""

import os
import unittest

from broker import Broker
from client import GRANT_READ, OK, Closed, ControlConnection, OpenConnection


class BrokerTest(unittest.TestCase):
    """One broker for a class; one greeted connection on each socket for a test."""

    @classmethod
    def setUpClass(cls):
        cls.broker = Broker()

    @classmethod
    def tearDownClass(cls):
        cls.broker.stop()

    def setUp(self):
        self.control = ControlConnection(self.broker.control_socket).greeted()
        self.data = OpenConnection(self.broker.open_socket).greeted()
        self.addCleanup(self.control.close)
        self.addCleanup(self.data.close)

    def granted(self, name, access=GRANT_READ, content=b"content", **fields):
        path = self.broker.write(name, content)
        self.grant(path, access, **fields)
        return path

    def grant(self, path, access, **fields):
        reply = self.control.grant(path, access, **fields)
        self.assertEqual(reply["outcome"], OK, reply["reason"])
        return reply["change"]

    def assert_answer(self, reply, outcome, sys_errno=0):
        self.assertEqual((reply["outcome"], reply["sys_errno"]), (outcome, sys_errno),
                         reply["reason"])
        if outcome != OK:
            self.assertIsNone(reply["fd"])

    def take(self, reply):
        """The descriptor of a granted open, closed when the test ends."""
        self.assert_answer(reply, OK)
        self.addCleanup(os.close, reply["fd"])
        return reply["fd"]

    def assert_closed(self, connection):
        with self.assertRaises(Closed):
            while True:  # a last reply may still be on its way
                connection.receive_reply()
