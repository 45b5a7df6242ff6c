#!/usr/bin/python3
"""softeuicc-lab play over PC/SC: the whole catalogue on cards that the player puts into a reader,
and a script on the card of somebody else, softeuicc run.

SOFTEUICC and SOFTEUICC_LAB are the programs, SOFTEUICC_PROFILE is operational.der."""

import json
import os
import subprocess
import unittest

from harness import Client, Pcscd, scard
from programs import RunningCard, Scratch, new_card, skip

LAB = os.environ.get("SOFTEUICC_LAB", "softeuicc-lab")
PROFILE = os.environ.get("SOFTEUICC_PROFILE", "operational.der")
CATALOGUE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "conformance")
DEADLINE = 240.0
MANY = 2000


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
        atrs = ["3B9F96801FC78031A073BE21136743200718000001A5", ""]
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

    def test_the_card_of_somebody_else(self):
        card = new_card(self.scratch.path, "--profile", PROFILE, name="other")
        running = RunningCard(card, "--reader", f"127.0.0.1:{self.pcscd.port}")
        try:
            client = Client()
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
