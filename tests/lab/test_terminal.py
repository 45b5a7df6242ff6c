#!/usr/bin/python3
"""softeuicc-lab terminal on a card file: options, operator commands, exit status.

SOFTEUICC and SOFTEUICC_LAB are the programs, SOFTEUICC_PROFILE is operational.der."""

import json
import os
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from programs import DEADLINE, Process, Scratch, new_card  # noqa: E402

LAB = os.environ.get("SOFTEUICC_LAB", "softeuicc-lab")
PROFILE = os.environ.get("SOFTEUICC_PROFILE", "operational.der")
ISDR = "A0000005591010FFFFFFFF8900000100"


def terminal(*arguments, stdin=""):
    return subprocess.run([LAB, "terminal", *arguments], input=stdin, capture_output=True,
                          text=True, timeout=DEADLINE, check=False)


class TerminalTest(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.card = new_card(self.scratch.path)

    def tearDown(self):
        self.scratch.remove()

    def path(self, name):
        return os.path.join(self.scratch.path, name)

    def test_a_card_with_nothing_to_say_is_idle(self):
        done = terminal("--card", self.card, "--until", "idle", "--trace", "-", "--apdus")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("TERMINAL PROFILE: 9000", done.stdout)
        self.assertIn("normal service", done.stdout)
        self.assertIn("00A40004023F00", done.stdout)
        self.assertIn("0 octets sent, 0 received", done.stdout)

    def test_json(self):
        trace = self.path("trace")
        done = terminal("--card", self.card, "--until", "idle", "--json", "--trace", trace,
                        "--capability", "ipad", "--attach", "0")
        self.assertEqual(done.returncode, 0, done.stderr)
        counts = json.loads(done.stdout)
        self.assertEqual(counts["resets"], 1)
        self.assertEqual(counts["channels"], [])
        self.assertGreaterEqual(counts["phases"][0]["apdus"], 4)
        with open(trace, encoding="utf-8") as f:
            lines = [json.loads(line) for line in f]
        self.assertEqual([line["kind"] for line in lines], ["card"] * len(lines))

    def test_an_operator_types(self):
        done = terminal("--card", self.card, "--trace", "-", "--attach", "0", stdin=(
            "# a comment\nlocation none\nlocation normal\ntechnology nr\nplmn 26201\nmenu 1\n"
            "sms 400100\nstatus\nphase two\ncounts\nreset\npower-off\npower-on\nnonsense\n"
            "location somewhere\nmenu\nquit\nstatus\n"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("no service", done.stdout)
        self.assertEqual(done.stderr.count("not understood"), 3)

    def test_a_profile_switch_is_a_refresh_and_a_reset(self):
        card = new_card(self.scratch.path, "--profile", PROFILE, name="with-profile")
        enable = "81E2910014BF3111A00C5A0A980010000000000010F98101FF"
        done = terminal("--card", card, "--trace", "-", "--attach", "0", "--until", "refresh",
                        "--for", str(int(DEADLINE / 2)), stdin=(
                            f"apdu 0070000001\napdu 01A4040010{ISDR}\napdu {enable}\n"))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("BF3103800100", done.stdout)
        self.assertIn("REFRESH: 00, eUICC profile state change", done.stdout)
        self.assertEqual(done.stdout.count("card: reset"), 2)

    def test_it_ends_on_signals_and_in_time(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            running = Process([LAB, "terminal", "--card", self.card, "--trace", "-"])
            running.says("normal service")
            self.assertEqual(running.stop(number), 0)
            self.assertIn("octets sent", running.output)
        self.assertEqual(terminal("--card", self.card, "--for", "1").returncode, 0)
        done = terminal("--card", self.card, "--for", "1", "--until", "refresh")
        self.assertEqual(done.returncode, 1)
        self.assertIn("not refresh within 1 s", done.stderr)

    def test_usage(self):
        self.assertEqual(terminal("--help").returncode, 0)
        self.assertIn("drop-datagram", terminal("--help").stdout)
        for arguments in ([], ["--card", "a", "--reader", "b"], ["--card", "a", "b"],
                          ["--card", "a", "--imei", "1"], ["--card", "a", "--plmn", "1"],
                          ["--card", "a", "--profile", "1"], ["--card", "a", "--map", "1"],
                          ["--card", "a", "--dns", "name:1"], ["--card", "a", "--channels", "8"],
                          ["--card", "a", "--buffer", "0"], ["--card", "a", "--fault", "x"],
                          ["--card", "a", "--until", "x"], ["--card", "a", "--for", "0"],
                          ["--card", "a", "--capability", "x"], ["--card", "a", "--x"]):
            self.assertEqual(terminal(*arguments).returncode, 2, arguments)
        done = terminal("--card", self.path("none"))
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.count("\n"), 1)


if __name__ == "__main__":
    unittest.main()
