#!/usr/bin/python3
"""The story of tests/lab/sgp32.py through PC/SC, with a card that is only now and then switched on:
work is queued while it is away, and its power goes at any step of it.

SOFTEUICC and SOFTEUICC_LAB are the programs, SOFTEUICC_PROFILE is operational.der; a TS.48 profile
is taken from SOFTEUICC_TESTDATA, one of ours stands in where that is not set."""

import os
import signal
import sys
import unittest

from harness import Client, Pcscd, scard
from programs import Control, RunningCard, Scratch, skip

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))
from sgp32 import FALLBACK, ICCIDS, OPERATIONAL, Device, Story, Tale, lab  # noqa: E402


class SwitchedDevice(Device):
    """Its card has power while the IPA runs, and loses it by turns politely and at once."""

    def __init__(self, card, pcscd):
        super().__init__(card, "--reader", "0")
        self.port = pcscd.port
        self.control = card + ".control"
        self.ends = 0
        self.client = Client()

    def ipa(self, *arguments, status=0, cut_after=None):
        self.client.wait_until(present=False)
        running = RunningCard(self.card, "--reader", f"127.0.0.1:{self.port}",
                              "--control", self.control)
        try:
            self.client.wait_until(present=True)
            if cut_after is not None:
                control = Control(self.control)
                control.ask(f"cut-after {cut_after}")
                control.close()
            return lab("ipa", *self.where, *arguments, status=status)
        finally:
            self.ends += 1
            running.stop(signal.SIGKILL if self.ends % 2 else signal.SIGTERM)

    def states(self):
        """The file is enough: each time that the card is switched on takes half a second."""
        return [{p["iccid"]: p["state"] for p in self.show()["profiles"]}]


class OverPcsc:
    pcscd = None

    def make_device(self):
        device = SwitchedDevice(self.card, OverPcsc.pcscd)
        self.addCleanup(device.client.close)
        return device


def setUpModule():
    scratch = Scratch()
    unittest.addModuleCleanup(scratch.remove)
    OverPcsc.pcscd = Pcscd(scratch.path)
    OverPcsc.pcscd.start()
    unittest.addModuleCleanup(OverPcsc.pcscd.stop)


class WholeStory(OverPcsc, Story, unittest.TestCase):
    pass


class PowerCuts(OverPcsc, Tale, unittest.TestCase):
    def test_work_waits_for_the_card(self):
        self.associate()
        numbers = [self.eim.queue(*operation) for operation in (
            ["download", self.dp.code(OPERATIONAL), "indirect"],
            ["download", self.dp.code(FALLBACK), "indirect"],
            ["enable", ICCIDS[OPERATIONAL]],
            ["fallback", ICCIDS[FALLBACK], "+", "default-dp", "dp.test"],
            ["enable", ICCIDS[FALLBACK], "rollback"],
            ["data"], ["list"])]
        self.assertEqual({self.eim.work(n)["state"] for n in numbers}, {"queued"})
        self.device.ipa("poll", "--once")
        self.assertEqual([self.eim.work(n)["state"] for n in numbers],
                         ["done"] + ["queued"] * (len(numbers) - 1))
        self.poll()
        self.assertEqual({self.eim.work(n)["state"] for n in numbers}, {"done"})
        self.assert_states({OPERATIONAL: "disabled", FALLBACK: "enabled"})
        self.assert_nothing_pending()

    def test_done_and_not_told(self):
        self.associate()
        self.download(OPERATIONAL)
        number = self.eim.queue("enable", ICCIDS[OPERATIONAL])
        self.device.ipa("poll", "--no-provide", "--once", status=1)
        self.assertEqual(self.eim.work(number)["state"], "out")
        self.assert_states({OPERATIONAL: "enabled"})
        self.eim.stop()
        self.device.ipa("poll", status=1)  # and now the eIM is away
        self.assertEqual(len(self.device.show()["iot"]["package_results"]), 1)
        self.eim.serve()
        self.assertIn("stored result", self.poll())
        (result,) = self.eim.results(number)
        self.assertTrue(result["verified"])
        self.assert_ok(result, "enable")
        self.assert_nothing_pending()

    def test_a_cut_at_every_write(self):
        """Wherever the power goes, the package is done once and told once."""
        self.associate()
        self.download(OPERATIONAL)
        state, writes = "disabled", 0
        cut = True
        while cut:
            with self.subTest(writes=writes):
                operation, target = (("enable", "enabled") if state == "disabled"
                                     else ("disable", "disabled"))
                number = self.eim.queue(operation, ICCIDS[OPERATIONAL])
                try:
                    self.device.ipa("poll", cut_after=writes)
                    cut = False
                except AssertionError:
                    self.poll()
                results = self.eim.results(number)
                self.assertEqual(len(results), 1)
                self.assertTrue(results[0]["verified"])
                self.assert_ok(results[0], operation)
                self.assert_states({OPERATIONAL: target})
                self.assert_nothing_pending()
                state = target
            writes += 1
        self.assertGreater(writes, 5)


if __name__ == "__main__":
    if scard is None:
        skip("pyscard (package python3-pyscard) is not installed")
    unittest.main()
