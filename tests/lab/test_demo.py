#!/usr/bin/python3
"""softeuicc-lab demo: a card's way to its profile, over HTTPS and over CoAP.

SOFTEUICC_LAB is the program.  Its exit status says whether each step holds; what it counted and who
spoke to whom is looked at here."""

import json
import os
import signal
import subprocess
import tempfile
import unittest

LAB = os.environ.get("SOFTEUICC_LAB", "softeuicc-lab")
DEADLINE = 100.0
STEPS = ["power-on", "first poll", "download", "enable", "fallback", "return", "quiet"]


class Demo(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = scratch.name
        self.environment = dict(os.environ, TMPDIR=self.folder)

    def demo(self, *options):
        done = subprocess.run([LAB, "demo", *options], capture_output=True, text=True, check=False,
                              timeout=DEADLINE, env=self.environment)
        self.assertEqual(os.listdir(self.folder), [], "a file is left")
        return done

    def story(self, *options):
        done = self.demo("--json", *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        told = json.loads(done.stdout)
        self.assertTrue(told["holds"])
        self.assertEqual([step["name"] for step in told["steps"]], STEPS)
        return told, {step["name"]: step for step in told["steps"]}

    def said(self, step, sender, receiver):
        return [message["text"] for message in step["messages"]
                if message.get("from") == sender and message.get("to") == receiver]

    def in_order(self, messages, *expected):
        """Each of these is said, one after the other."""
        rest = iter(messages)
        for text in expected:
            self.assertTrue(any(text in message for message in rest), f"{text} in {messages}")

    def check_story(self, told, steps, channel):
        for step in told["steps"]:
            self.assertTrue(step["holds"], step)
            self.assertGreater(step["apdus"], 0)
        self.assertEqual(steps["power-on"]["sent"], 0)
        for name in STEPS[1:]:
            step = steps[name]
            self.assertGreater(step["sent"], 0, name)
            self.assertGreater(step["received"], 0, name)
            self.assertGreater(step["bipCommands"], 0, name)
            self.in_order(self.said(step, "card", "terminal"), "OPEN CHANNEL UDP 192.0.2.53:53",
                          "CLOSE CHANNEL", channel, "CLOSE CHANNEL")
            asked = self.said(step, "card", "eIM")
            self.assertIn("getEimPackage", " ".join(asked), name)
        self.in_order(self.said(steps["first poll"], "eIM", "card"), "a request for data",
                      "noEimPackageAvailable")

    def check_profile(self, steps):
        self.in_order(self.said(steps["download"], "card", "eIM"), "getEimPackage",
                      "initiateAuthentication", "authenticateClient", "getBoundProfilePackage",
                      "handleNotification: install")
        self.in_order(self.said(steps["download"], "eIM", "SM-DP+"), "initiateAuthentication",
                      "authenticateClient", "getBoundProfilePackage",
                      "handleNotification: install")
        self.in_order(self.said(steps["enable"], "card", "eIM"), "getEimPackage",
                      "provideEimPackageResult: package")
        self.in_order(self.said(steps["enable"], "eIM", "card"), "a signed package",
                      "acknowledged")
        self.in_order(self.said(steps["enable"], "eIM", "SM-DP+"), "handleNotification: enable")
        for name in ("enable", "fallback", "return"):
            self.assertEqual(self.said(steps[name], "card", "terminal").count("REFRESH"), 1, name)
        for name in ("fallback", "return"):
            self.assertIn("getEimPackage: fallback", self.said(steps[name], "card", "eIM"))
        self.assertGreaterEqual(steps["fallback"]["deviceMilliseconds"], 7200 * 1000)

    def check_handshakes(self, steps, version):
        def handshakes(name):
            return [message["text"] for message in steps[name]["messages"]
                    if "handshake" in message["text"]]
        self.assertEqual(handshakes("first poll"), [f"{version}, full handshake"])
        self.assertEqual(handshakes("quiet"), [f"{version}, short handshake"])

    def check_quiet(self, step, octets):
        """A day after the last one, a session is resumed without a ticket."""
        self.assertGreater(step["deviceMilliseconds"], 86000 * 1000)
        self.assertLess(step["sent"] + step["received"], octets)

    def test_over_https(self):
        told, steps = self.story()
        self.check_handshakes(steps, "TLSv1.3")
        self.assertEqual(told["esipa"], "https")
        self.check_story(told, steps, "OPEN CHANNEL TCP 192.0.2.10:443")
        self.check_profile(steps)
        self.assertEqual(steps["quiet"]["links"], 2)
        self.check_quiet(steps["quiet"], 1400)

    def test_over_coap(self):
        told, steps = self.story("--coap")
        self.check_handshakes(steps, "DTLSv1.2")
        self.assertEqual(told["esipa"], "coaps")
        self.check_story(told, steps, "OPEN CHANNEL UDP 192.0.2.10:5684")
        self.check_profile(steps)
        self.assertGreater(steps["download"]["datagramsReceived"], 5)
        self.check_quiet(steps["quiet"], 1100)

    def test_as_a_text_with_a_trace(self):
        trace = os.path.join(tempfile.gettempdir(), f"softeuicc-trace-{os.getpid()}")
        self.addCleanup(lambda: os.path.exists(trace) and os.unlink(trace))
        done = self.demo("--trace", trace)
        self.assertEqual(done.returncode, 0, done.stderr)
        for number, name in enumerate(STEPS, 1):
            self.assertIn(f"\n{number}. " if number > 1 else "1. ", done.stdout)
            self.assertIn(f"\n{name} ", done.stdout)
        self.assertIn("REFRESH", done.stdout)
        self.assertLessEqual(max(len(line) for line in done.stdout.splitlines()), 90)
        with open(trace, encoding="utf-8") as f:
            told = f.read()
        self.assertIn("RECEIVE DATA", told)
        self.assertIn("IPAe: sleeps", told)

    def test_it_ends_early(self):
        running = subprocess.Popen([LAB, "demo", "--trace", "-"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=self.environment)
        running.stderr.readline()
        running.send_signal(signal.SIGTERM)
        _, why = running.communicate(timeout=DEADLINE)
        if running.returncode != 0:  # 0: it was done before
            self.assertEqual(running.returncode, 1)
            self.assertIn("told to end", why)
        self.assertEqual(os.listdir(self.folder), [])

    def test_it_says_why_it_cannot(self):
        self.environment["TMPDIR"] = os.path.join(self.folder, "none")
        done = self.demo()
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout, "")
        self.assertIn("No such file", done.stderr)

    def test_usage(self):
        self.assertEqual(self.demo("--help").returncode, 0)
        self.assertEqual(self.demo("story").returncode, 2)
        self.assertEqual(self.demo("--none").returncode, 2)


if __name__ == "__main__":
    unittest.main()
