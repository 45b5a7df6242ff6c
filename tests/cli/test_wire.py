#!/usr/bin/python3
"""softeuicc run against a reader that this test plays, octet by octet (vpcd's protocol)."""

import os
import socket
import struct
import time
import unittest

from programs import (DEADLINE, SELECT_ISDR, Control, Process, RunningCard, Scratch, atr_of,
                      new_card, wait_for)

OFF, ON, RESET, ATR = b"\0\1\0", b"\0\1\1", b"\0\1\2", b"\0\1\4"


def frame(body):
    return struct.pack(">H", len(body)) + body


class Reader:
    """What vpcd does with one card."""

    def __init__(self, connection):
        self.connection = connection
        self.connection.settimeout(DEADLINE)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, octets):
        self.connection.sendall(octets)

    def exactly(self, n):
        octets = b""
        while len(octets) < n:
            piece = self.connection.recv(n - len(octets))
            if not piece:
                raise AssertionError("the card closed the connection")
            octets += piece
        return octets

    def answer(self):
        return self.exactly(struct.unpack(">H", self.exactly(2))[0])

    def ask(self, octets):
        self.send(octets)
        return self.answer()

    def is_closed(self):
        try:
            return self.connection.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.connection.close()


class WireTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = Scratch()
        cls.atr = atr_of(cls.scratch.path)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.remove()

    def setUp(self):
        self.card = new_card(self.scratch.path, name=self.id().rsplit(".", maxsplit=1)[-1])
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        self.listener.settimeout(DEADLINE)
        self.port = self.listener.getsockname()[1]
        self.control_path = os.path.join(self.scratch.path, "control")
        self.run_card()

    def run_card(self):
        self.process = RunningCard(self.card, "--reader", f"127.0.0.1:{self.port}", "--control",
                                   self.control_path)
        self.addCleanup(self.process.stop)

    def tearDown(self):
        self.listener.close()

    def accept(self):
        reader = Reader(self.listener.accept()[0])
        self.addCleanup(reader.close)
        return reader

    def test_atr_is_answered_while_off_and_between_commands(self):
        reader = self.accept()
        self.assertEqual(reader.ask(ATR), self.atr)
        self.assertEqual(reader.ask(ON + ATR), self.atr)
        selected = reader.ask(frame(bytes.fromhex(SELECT_ISDR)))
        self.assertEqual(reader.ask(ATR), self.atr)
        self.assertEqual(selected, reader.ask(frame(bytes.fromhex(SELECT_ISDR))))
        self.assertEqual(reader.ask(OFF + ATR), self.atr)

    def test_power_and_reset_are_not_answered(self):
        reader = self.accept()
        reader.send(ON + RESET + OFF + ON)
        self.assertEqual(reader.ask(ATR), self.atr)

    def test_unknown_codes_and_empty_frames_are_ignored(self):
        reader = self.accept()
        reader.send(b"\0\1\3" + b"\0\1\5" + b"\0\1\xff" + b"\0\0" + b"\0\0")
        self.assertEqual(reader.ask(ATR), self.atr)

    def test_frames_come_in_pieces(self):
        reader = self.accept()
        for octet in ON + ATR + frame(bytes.fromhex("0070000001")):
            reader.send(bytes([octet]))
            time.sleep(0.002)  # so that the pieces travel alone
        self.assertEqual(reader.answer(), self.atr)
        self.assertEqual(reader.answer(), bytes.fromhex("019000"))

    def test_many_frames_come_at_once(self):
        reader = self.accept()
        reader.send(ON + 50 * (ATR + frame(bytes.fromhex("00A40000023F00"))))
        for _ in range(50):
            self.assertEqual(reader.answer(), self.atr)
            self.assertGreaterEqual(len(reader.answer()), 2)

    def test_an_answer_is_one_segment(self):
        reader = self.accept()
        reader.ask(ON + ATR)
        for _ in range(20):
            reader.send(ATR)
            self.assertEqual(reader.connection.recv(1000), frame(self.atr))

    def test_a_command_as_long_as_a_frame_is_answered(self):
        reader = self.accept()
        reader.send(ON)
        command = bytes.fromhex("00A40400") + b"\0" + struct.pack(">H", 65528) + bytes(65528)
        self.assertGreaterEqual(len(reader.ask(frame(command))), 2)
        self.assertEqual(reader.ask(ATR), self.atr)

    def test_reset_closes_the_channels(self):
        reader = self.accept()
        reader.send(ON)
        self.assertEqual(reader.ask(frame(bytes.fromhex("0070000001"))).hex(), "019000")
        self.assertNotEqual(reader.ask(frame(bytes.fromhex("01A40004023F00"))).hex(), "6881")
        for contacts in (RESET, OFF + ON, ON):
            reader.send(contacts)
            self.assertEqual(reader.ask(frame(bytes.fromhex("01A40004023F00"))).hex(), "6881")
            self.assertEqual(reader.ask(frame(bytes.fromhex("0070000001"))).hex(), "019000")

    def test_the_card_comes_back_when_the_reader_does(self):
        for _ in range(3):
            reader = self.accept()
            self.assertEqual(reader.ask(ON + ATR), self.atr)
            reader.close()
        self.assertEqual(self.process.output.count("waiting for"), 0)

    def test_waiting_is_said_once(self):
        reader = self.accept()
        self.assertEqual(reader.ask(ON + ATR), self.atr)
        self.listener.close()
        reader.close()
        self.process.says(f"waiting for a reader at 127.0.0.1:{self.port} (Connection refused);")
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=1)
        self.listener.settimeout(DEADLINE)
        self.assertEqual(self.accept().ask(ON + ATR), self.atr)
        self.process.says("card is in the reader", times=2)
        self.assertEqual(self.process.output.count("waiting for"), 1, self.process.output)

    def test_pull_and_insert(self):
        reader = self.accept()
        self.assertEqual(reader.ask(ON + ATR), self.atr)
        control = Control(self.control_path)
        self.addCleanup(control.close)
        self.assertTrue(control.ask("pull").startswith("ok"))
        self.assertTrue(reader.is_closed())
        self.assertTrue(control.ask("pull").startswith("error"))
        self.assertTrue(control.ask("insert").startswith("ok"))
        self.assertTrue(control.ask("insert").startswith("error"))
        self.assertEqual(self.accept().ask(ON + ATR), self.atr)

    def test_faults_through_the_socket(self):
        reader = self.accept()
        self.assertEqual(reader.ask(ON + ATR), self.atr)
        control = Control(self.control_path)
        self.addCleanup(control.close)
        select = frame(bytes.fromhex(SELECT_ISDR))
        self.assertEqual(control.ask("sw 00A4 6F42 1"), "ok armed")
        self.assertEqual(control.ask("delay 00A4 300 2"), "ok armed")
        self.assertEqual(control.ask("faults"),
                         "ok sw 00A4 6F42 1 (1 left); delay 00A4 300 2 (2 left)")
        self.assertEqual(reader.ask(select).hex(), "6f42")
        before = time.monotonic()
        self.assertEqual(reader.ask(select)[-2:].hex(), "9000")
        self.assertGreaterEqual(time.monotonic() - before, 0.3)
        self.assertTrue(control.ask("sw 00A4").startswith("error it is written: sw MATCH"))
        self.assertEqual(control.ask("mute 00A4"), "ok armed")
        reader.send(select)
        self.assertTrue(reader.is_closed())
        again = self.accept()
        self.assertEqual(control.ask("clear"), "ok cleared")
        self.assertEqual(again.ask(ON + select)[-2:].hex(), "9000")

    def test_the_clock_jumps_through_the_socket(self):
        self.accept()
        control = Control(self.control_path)
        self.addCleanup(control.close)
        def ahead():
            return int(control.ask("status").split("time=")[1]) - int(time.time())
        self.assertLess(abs(ahead()), 10)
        self.assertEqual(control.ask("clock 86400"), "ok armed")
        self.assertLess(abs(ahead() - 86400), 10)
        self.assertEqual(control.ask("faults"), "ok clock 86400")
        self.assertEqual(control.ask("clear"), "ok cleared")
        self.assertLess(abs(ahead()), 10)

    def test_a_signal_ends_a_delay(self):
        reader = self.accept()
        control = Control(self.control_path)
        self.addCleanup(control.close)
        self.assertEqual(control.ask("delay 00A4 600000"), "ok armed")
        reader.send(ON + frame(bytes.fromhex(SELECT_ISDR)))
        time.sleep(0.2)
        before = time.monotonic()
        self.assertEqual(self.process.stop(), 0)
        self.assertLess(time.monotonic() - before, DEADLINE / 2)

    def test_control_has_several_clients_and_bounds(self):
        self.accept()
        first, second = Control(self.control_path), Control(self.control_path)
        self.addCleanup(first.close)
        self.addCleanup(second.close)
        self.assertTrue(second.ask("no such command").startswith("error"))
        self.assertTrue(first.ask("no such command").startswith("error"))
        self.assertEqual(os.stat(self.control_path).st_mode & 0o777, 0o600)
        first.socket.sendall(b"x" * 100000)
        self.assertTrue(first.answers.readline().startswith("error"))
        self.assertTrue(second.ask("pull").startswith("ok"))
        for _ in range(20):
            guest = Control(self.control_path)
            self.assertTrue(guest.ask("pull").startswith("error"))
            guest.close()

    def test_a_control_socket_in_use_is_left_alone(self):
        self.accept()
        wait_for(lambda: os.path.exists(self.control_path), "the control socket")
        other = RunningCard(new_card(self.scratch.path, name="other"), "--control",
                            self.control_path)
        self.assertEqual(other.process.wait(DEADLINE), 1)
        other.stop()
        self.assertIn("control socket", other.output)
        control = Control(self.control_path)
        self.assertTrue(control.ask("pull").startswith("ok"))
        control.close()

    def test_the_control_socket_of_a_dead_program_is_replaced(self):
        self.accept()
        wait_for(lambda: os.path.exists(self.control_path), "the control socket")
        self.process.stop(9)
        self.assertTrue(os.path.exists(self.control_path))
        self.run_card()
        self.assertEqual(self.accept().ask(ON + ATR), self.atr)
        self.assertEqual(self.process.stop(), 0)
        self.assertFalse(os.path.exists(self.control_path))

    def test_signals_end_it_with_status_0(self):
        for number in (15, 2, 1):
            reader = self.accept()
            self.assertEqual(reader.ask(ON + ATR), self.atr)
            self.assertEqual(self.process.stop(number), 0)
            self.assertTrue(reader.is_closed())
            self.assertFalse(os.path.exists(self.card + "-wal"))
            self.run_card()

    def test_it_stops_while_it_waits_for_a_reader(self):
        self.listener.close()
        self.process.says("waiting")
        before = time.monotonic()
        self.assertEqual(self.process.stop(), 0)
        self.assertLess(time.monotonic() - before, DEADLINE / 2)


@unittest.skipUnless("ECHO_CARD" in os.environ, "ECHO_CARD does not name the echo card")
class EchoTest(unittest.TestCase):
    """What an eUICC does not do on demand; the echo card has the same connection."""

    def setUp(self):
        listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        self.addCleanup(listener.close)
        listener.settimeout(DEADLINE)
        self.accept = listener.accept
        lengths = ("A1=0", "A2=65535", "A3=65536", "A4=2")
        self.process = Process([os.environ["ECHO_CARD"],
                                f"127.0.0.1:{listener.getsockname()[1]}", *lengths])
        self.addCleanup(self.process.stop)
        self.reader = Reader(self.accept()[0])
        self.addCleanup(self.reader.close)

    def test_a_mute_card_goes_out_and_comes_back_later(self):
        self.reader.send(ON + frame(b"\0\xa1\0\0"))
        self.assertTrue(self.reader.is_closed())
        closed = time.monotonic()
        again = Reader(self.accept()[0])
        self.addCleanup(again.close)
        self.assertGreater(time.monotonic() - closed, 0.5)  # or a polling reader misses it
        self.assertEqual(again.ask(frame(b"\0\xa4\0\0")), b"\x90\0")
        self.process.says("lost power")

    def test_long_answers_fit_or_are_an_error(self):
        self.assertEqual(len(self.reader.ask(frame(b"\0\xa2\0\0"))), 65535)
        self.assertEqual(self.reader.ask(frame(b"\0\xa3\0\0")), b"\x6f\0")

    def test_a_reader_that_takes_its_time_gets_all_answers(self):
        self.reader.send(200 * frame(b"\0\xa2\0\0") + ATR)
        time.sleep(0.1)  # the card's answers do not fit into the connection meanwhile
        for _ in range(200):
            self.assertEqual(len(self.reader.answer()), 65535)
        self.assertEqual(self.reader.answer()[0], 0x3B)


class ReversedTest(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.atr = atr_of(self.scratch.path)
        card = new_card(self.scratch.path)
        self.control_path = os.path.join(self.scratch.path, "control")
        self.process = RunningCard(card, "--listen", "127.0.0.1:0", "--control",
                                   self.control_path)
        self.process.says("waiting at 127.0.0.1:")
        self.port = int(self.process.output.split("127.0.0.1:")[1].split()[0])

    def tearDown(self):
        self.assertEqual(self.process.stop(), 0)
        self.scratch.remove()

    def connect(self):
        def attempt():
            try:
                return socket.create_connection(("127.0.0.1", self.port))
            except ConnectionRefusedError:
                return None
        reader = Reader(wait_for(attempt, "a card that listens"))
        self.addCleanup(reader.close)
        return reader

    def test_the_reader_connects_again_and_again(self):
        for _ in range(3):
            reader = self.connect()
            self.assertEqual(reader.ask(ATR + ON), self.atr)
            reader.close()

    def test_a_pulled_card_does_not_listen(self):
        reader = self.connect()
        self.assertEqual(reader.ask(ATR), self.atr)
        control = Control(self.control_path)
        self.addCleanup(control.close)
        self.assertTrue(control.ask("pull").startswith("ok"))
        self.assertTrue(reader.is_closed())
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", self.port))
        self.assertTrue(control.ask("insert").startswith("ok"))
        self.assertEqual(self.connect().ask(ATR), self.atr)


if __name__ == "__main__":
    unittest.main()
