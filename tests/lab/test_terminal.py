#!/usr/bin/python3
"""softeuicc-lab terminal on a card file: options, operator commands, exit status.

SOFTEUICC and SOFTEUICC_LAB are the programs, SOFTEUICC_PROFILE is operational.der."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from programs import DEADLINE, EID, Process, Scratch, new_card  # noqa: E402
from sgp32 import (FALLBACK, ICCIDS, OPERATIONAL, PROFILES, Device, Eim, SmDp,  # noqa: E402
                   Terminal, free_port)

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

    def test_lines_wait_for_rest_and_time_is_skipped(self):
        started = time.monotonic()
        done = terminal("--card", self.card, "--trace", "-", "--poll", "3600",
                        stdin="rest\nlocation none\nskip\nskip\nrest\nquit\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        said = re.findall(r"put forward by (\d+) s|(no service)|card: (STATUS)", done.stdout)
        self.assertEqual([(seconds != "", service, status) for seconds, service, status in said],
                         [(False, "no service", ""), (True, "", ""), (False, "", "STATUS"),
                          (True, "", ""), (False, "", "STATUS")])
        self.assertGreater(sum(int(seconds or 0) for seconds, _, _ in said), 7100)
        self.assertLess(time.monotonic() - started, 60)
        done = terminal("--card", self.card, "--poll", "0", stdin="power-off\nrest\nskip\nquit\n")
        self.assertEqual(done.returncode, 0)
        self.assertIn("nothing to skip to", done.stderr)

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


class Faults(unittest.TestCase):
    """Whatever the device does wrong, a card with an IPA of its own gets its profile in the end, or
    the eIM is told that it did not."""

    STEPS = 60

    def setUp(self):
        scratch = Scratch()
        self.addCleanup(scratch.remove)
        self.folder = scratch.path
        self.dp = SmDp(PROFILES, "--host", "localhost")
        self.addCleanup(self.dp.connection.close)
        self.addCleanup(self.dp.stop)

    def begin(self, *options, protocol="https", indirect="yes"):
        folder = Scratch()
        self.addCleanup(folder.remove)
        self.eim = Eim(folder.path, "eim1", "--protocol", protocol, "--indirect", indirect,
                       at=f"localhost:{free_port()}")
        self.eim.serve(*(["--coap"] if protocol == "coaps" else []))
        self.addCleanup(self.eim.stop)
        self.eim.do("device", EID)
        bootstrap = os.path.join(PROFILES, FALLBACK + ".der")
        self.device = Device(new_card(
            folder.path, "--set", "ipae=on", "--set", "ipae_dns=192.0.2.53",
            "--eim", self.eim.initial,
            "--profile", bootstrap + ",class=provisioning,fallback,enabled"))
        self.number = self.eim.queue("download", self.dp.code(OPERATIONAL),
                                     *(["indirect"] if indirect == "yes" else []))
        self.terminal = Terminal("--card", self.device.card, *options)
        self.addCleanup(self.terminal.process.stdin.close)
        self.addCleanup(self.terminal.stop)
        self.terminal.rest()

    def skip_until_done(self, number):
        for _ in range(self.STEPS):
            if self.eim.work(number)["state"] in ("done", "failed"):
                return self.eim.work(number)["state"]
            self.terminal.rest("skip")
        self.fail(self.terminal.output[-4000:])

    def faults(self):
        return [line for line in self.terminal.lines() if line.get("kind") == "fault"]

    def story(self, rule, n_faults=None, **how):
        with self.subTest(rule=rule, **how):
            self.begin("--fault", rule, **how)
            self.assertEqual(self.skip_until_done(self.number), "done")
            number = self.eim.queue("enable", ICCIDS[OPERATIONAL], "rollback")
            self.assertEqual(self.skip_until_done(number), "done")
            (result,) = self.eim.results(number)
            self.assertTrue(result["verified"])
            states = {p["iccid"]: p["state"] for p in self.device.show()["profiles"]}
            self.assertEqual(states[ICCIDS[OPERATIONAL]], "enabled")
            if n_faults is not None:
                self.assertGreaterEqual(len(self.faults()), n_faults)
            self.end_of_story()

    def end_of_story(self):
        self.assertEqual(self.terminal.stop(), 0, self.terminal.output[-4000:])
        self.assertNotIn("runtime error", self.terminal.output)
        self.eim.stop()

    def test_over_https(self):
        for rule, n in (("close-after=6000:2", 2), ("cut-datagram", None), ("drop-datagram=1", 1),
                        ("plain-receive", None), ("small-buffer=100", None), ("slow=8000", None),
                        ("late=5", None)):
            self.story(rule, n)

    def test_over_coap(self):
        for rule, n in (("drop-datagram=3", 1), ("cut-datagram", None),
                        ("small-buffer=1024", None), ("plain-receive", None)):
            self.story(rule, n, protocol="coaps", indirect="no")

    def test_the_terminal_itself_fails(self):
        for rule, n in (("lose-response=5", 1), ("nonsense=4", 1), ("busy=3,8,9", 3),
                        ("reset-at=12,40,90", 3)):
            self.story(rule, n)

    def test_no_service_and_no_channel(self):
        self.begin("--fault", "no-service@30")
        self.terminal.rest("skip", "rest", "skip")
        self.assertEqual(self.eim.work(self.number)["state"], "queued")
        self.assertEqual([f["text"] for f in self.faults()], ["no service"])
        self.terminal.rest("location normal")
        self.assertEqual(self.skip_until_done(self.number), "done")
        self.end_of_story()
        self.begin("--fault", "refuse-open=3A:01")
        self.terminal.rest("skip", "rest", "skip", "rest", "skip")
        self.assertEqual({f["text"] for f in self.faults()}, {"OPEN CHANNEL refused"})
        self.assertEqual(self.eim.work(self.number)["state"], "queued")

    def test_a_download_that_never_gets_through_is_told(self):
        self.begin("--fault", "close-after=3500", protocol="coaps", indirect="no")
        self.assertEqual(self.skip_until_done(self.number), "failed")


if __name__ == "__main__":
    unittest.main()
