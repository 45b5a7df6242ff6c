#!/usr/bin/python3
"""softeuicc-lab play over PC/SC: the whole catalogue on cards that the player puts into a reader,
and a script on the card of somebody else, softeuicc run.

SOFTEUICC and SOFTEUICC_LAB are the programs, SOFTEUICC_PROFILE is operational.der."""

import contextlib
import json
import os
import socket
import subprocess
import threading
import unittest

from harness import Client, Pcscd, scard
from programs import Process, RunningCard, Scratch, new_card, skip, wait_for

LAB = os.environ.get("SOFTEUICC_LAB", "softeuicc-lab")
PROFILE = os.environ.get("SOFTEUICC_PROFILE", "operational.der")
CATALOGUE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "conformance")
DEADLINE = 240.0
MANY = 2000
ATR = "3B9F96801FC78031A073BE21136743200718000001A5"
CONNECTED = "03"             # a unix socket's state
POWER_OFF, ASK_ATR = b"\0", b"\4"
POLLS = 4


class OtherCard:
    """A card in the reader that keeps what it was asked for."""

    def __init__(self, port):
        self.frames = []
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        with contextlib.suppress(ConnectionError), self.socket.makefile("rb") as frames:
            while header := frames.read(2):
                frame = frames.read(int.from_bytes(header, "big"))
                if frame == ASK_ATR:
                    self.socket.sendall(b"\0\2\x3B\0")
                elif len(frame) > 1:
                    answer = self.answer(frame)
                    self.socket.sendall(len(answer).to_bytes(2, "big") + answer)
                self.frames.append(frame)

    def answer(self, command):
        """To everything the same."""
        return b"\x6F\0"

    def take_out(self):
        if self.thread.is_alive():
            self.socket.shutdown(socket.SHUT_RDWR)
            self.thread.join()
        self.socket.close()


class Sim(OtherCard):
    """A SIM of TS 51.011, which knows class A0 alone; REFRESH waits for TERMINAL PROFILE."""

    REFRESH = bytes.fromhex("D009810301010182028182")

    def answer(self, command):
        if command[0] != 0xA0:
            return b"\x6E\0"
        return {0xA4: b"\x9F\x16", 0xC0: bytes(22) + b"\x90\0", 0x10: b"\x91\x0B",
                0x12: self.REFRESH + b"\x90\0", 0x14: b"\x90\0"}.get(command[1], b"\x6D\0")


class PlayTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = Scratch()
        cls.addClassCleanup(cls.scratch.remove)
        cls.pcscd = Pcscd(cls.scratch.path)
        cls.pcscd.start()
        cls.addClassCleanup(cls.pcscd.stop)

    def file(self, name, text=""):
        path = os.path.join(self.scratch.path, name)
        if text:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        return path

    def play(self, *arguments, status=0):
        report = self.file(f"report-{self.id()}-{len(os.listdir(self.scratch.path))}.json")
        done = subprocess.run([LAB, "play", "--profiles", os.path.dirname(PROFILE), "--json",
                               report, *arguments], capture_output=True, text=True,
                              timeout=DEADLINE, check=False)
        if status is not None:
            self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        with open(report, encoding="utf-8") as f:
            return json.load(f)["cases"]

    def made(self, *arguments, status=0):
        return self.play("--vpcd", f"127.0.0.1:{self.pcscd.port}", *arguments, status=status)

    def test_the_catalogue_says_the_same_as_in_process(self):
        """That they pass is what suite conformance asks."""
        through = {c["id"]: (c["status"], c["why"] if c["status"] == "skipped" else "")
                   for c in self.made(CATALOGUE, status=None)}
        here = {c["id"]: (c["status"], c["why"] if c["status"] == "skipped" else "")
                for c in self.play(CATALOGUE, status=None)}
        self.assertGreater(len(here), 40)
        self.assertEqual(through, here)

    def test_each_made_card_is_a_new_one_with_its_own_answer_to_reset(self):
        atrs = [ATR, ""]
        text = "".join(f"case {i}\nnew --set atr={atr}\nreset\n< {atr or '3B...'}\n"
                       "es10 BF29(5A(980010000000000010F9) 90('x'))\n"
                       for i, atr in enumerate(atrs))
        self.assertEqual([c["status"] for c in self.made(self.file("t.sct", text))],
                         ["passed", "passed"])

    def test_power_cuts_and_the_back_door_work_there_too(self):
        cases = self.made(self.file("t.sct", """case A
new --profile {operational}
cut-each
es10 BF31(A0(5A({iccid:8900010000000000019})) 81(00))
es10 BF2D(5C(9F70))
expect BF2D/A0/E3/9F70 == XX
case B
control sw 80E2 6F00
control mute 81E29100XXBF20
es10 BF2000
< mute
"""))
        self.assertEqual([c["status"] for c in cases], ["passed", "passed"])
        self.assertGreater(cases[0]["rounds"], 3)

    def test_a_card_that_does_not_start_is_not_the_next_ones_fault(self):
        """Cut off while it finishes what a reset interrupted."""
        prepared = "".join(f"include {os.path.join(CATALOGUE, 'steps', name)}.inc\n"
                           for name in ("server", "metadata", "bound"))
        cases = self.made(self.file("t.sct", f"""case A
{prepared}load segments=0-5 {{bpp}}
control cut-after 0
reset
case B
reset
< 3B...
case C
select-isdr
"""), status=1)
        self.assertEqual([c["status"] for c in cases], ["error", "passed", "passed"])
        self.assertIn("SCardReconnect", cases[0]["why"])

    def connections(self):
        """How many PC/SC has; the socket that listens is no connection."""
        with open("/proc/net/unix", encoding="ascii") as rows:
            return sum(row.rstrip().endswith(self.pcscd.comm) and row.split()[5] == CONNECTED
                       for row in rows)

    def test_another_card_goes_out_first(self):
        """What PC/SC says of a card that is on its way out is not said of the player's."""
        client = Client()
        client.wait_until(present=False)
        other = OtherCard(self.pcscd.port)
        self.addCleanup(other.take_out)
        client.wait_until(present=True)
        client.close()
        wait_for(lambda: self.connections() == 0, "PC/SC without clients")
        script = self.file("t.sct", f"case A\nnew --set atr={ATR}\nreset\n< {ATR}\n"
                           "case B\nreset\n< 3B...\n")
        seen = len(other.frames)
        player = Process([LAB, "play", "--vpcd", f"127.0.0.1:{self.pcscd.port}", script])
        self.addCleanup(player.stop)
        wait_for(lambda: self.connections() == 1 or player.process.poll() is not None, "the player")
        polled = len(other.frames)
        wait_for(lambda: len(other.frames) >= polled + POLLS, "pcscd's polls")
        self.assertEqual([f for f in other.frames[seen:] if f not in (ASK_ATR, POWER_OFF)], [])
        other.take_out()
        self.assertEqual(player.process.wait(DEADLINE), 0, player.output)

    def test_the_card_of_somebody_else(self):
        card = new_card(self.scratch.path, "--profile", PROFILE, name="other")
        client = Client()
        client.wait_until(present=False)
        running = RunningCard(card, "--reader", f"127.0.0.1:{self.pcscd.port}")
        try:
            client.wait_until(present=True)
            client.close()
            cases = self.play("--reader", "Virtual PCD", self.file("t.sct", """case A
es10 BF2D(5C(5A))
expect BF2D/A0/E3/5A == {iccid:8900010000000000019}
case B
new --preset sgp23
reset
case C
mark
"""))
        finally:
            running.stop()
        self.assertEqual([c["status"] for c in cases], ["passed", "skipped", "skipped"])
        self.assertIn("back door", cases[2]["why"])

    def test_annex_b_is_played_on_a_sim_too(self):
        client = Client()
        client.wait_until(present=False)
        sim = Sim(self.pcscd.port)
        self.addCleanup(sim.take_out)
        client.wait_until(present=True)
        client.close()
        self.play("--reader", "Virtual PCD", self.file("sim.scr", """RST
INI FF FF FF FF 7F
CMD A0 A4 00 00 02
    3F 00 (9F XX)
CMD A0 C0 00 00 16 [00 00 XX XX XX XX XX XX XX XX XX
    XX XX XX XX XX XX XX XX XX XX XX] (90 00)
CMD A0 A4 00 00 02 3F 00 [] (90 00)
OFF
"""))
        commands = [frame[:2].hex() for frame in sim.frames if len(frame) > 1]
        self.assertEqual(commands[:5], ["8010", "a010", "a012", "a014", "a0a4"])

    def test_what_the_player_adds_is_told(self):
        """No time is asserted: the figure is in the log."""
        case, = self.made(self.file("t.sct", f"select-isdr\nrepeat {MANY}\nes10 BF2000\n"
                                    "expect BF20/82 exists\nend\n"))
        self.assertEqual(case["apdus"], MANY * 2 + 5)
        steps = sum(s["seconds"] for s in case["steps"])
        self.assertGreater(steps, case["cardSeconds"])
        print(f"the player adds {100 * (steps / case['cardSeconds'] - 1):.1f} % to "
              f"{case['apdus']} APDUs of {1e6 * case['cardSeconds'] / case['apdus']:.0f} us")


if __name__ == "__main__":
    if scard is None:
        skip("pyscard is not installed")
    unittest.main()
