#!/usr/bin/python3
"""softeuicc-lab fleet against softeuicc-lab eim serve: what it counts is what the eIM has seen.

Small fleets; nothing waits for the clock but the test of --duration's own."""

import json
import os
import signal
import subprocess
import unittest

from sgp32 import (DEADLINE, ICCIDS, LAB, OPERATIONAL, Eim, Process, Scratch, SmDp, lab, softeuicc,
                   source, wait_for)

N = 6


class Fleet(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        scratch = Scratch()
        self.addCleanup(scratch.remove)
        self.folder = scratch.path
        self.eim = None

    def path(self, name):
        return os.path.join(self.folder, name)

    def make_eim(self, *options, name="eim1", **how):
        self.eim = Eim(self.folder, name, "--learn", "no", *options, **how)
        self.addCleanup(self.eim.stop)
        return self.eim

    def fleet(self, n, *options, eim=None, status=0):
        """The summary, and what it complained of."""
        command = [LAB, "fleet", str(n), "--eim", eim or self.eim.initial, "--ramp", "0", "--json"]
        done = subprocess.run([*command, *options], capture_output=True, text=True, check=False,
                              timeout=3 * DEADLINE)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return (json.loads(done.stdout) if done.stdout else None), done.stderr

    def devices(self, n, *options):
        """Who the cards of this seed are."""
        self.fleet(n, "--seed", "test", "--make", "--devices", self.path("devices"), *options)
        with open(self.path("devices"), encoding="utf-8") as f:
            return json.load(f)["devices"]

    def assert_consistent(self, told):
        polls, cards = told["polls"], told["cards"]
        self.assertEqual(polls["ended"], polls["good"] + polls["failed"])
        self.assertLessEqual(cards["polled"], cards["on"])
        self.assertLessEqual(cards["on"], cards["made"])
        self.assertLessEqual(polls["resumed"], polls["handshakes"])
        self.assertGreaterEqual(polls["exchanges"], polls["good"])
        self.assertLessEqual(told["latencyMs"]["n"], polls["ended"])
        self.assertGreaterEqual(sum(f["n"] for f in told["failures"]), polls["failed"])
        times = [told["latencyMs"].get(name, 0) for name in
                 ("least", "p50", "p90", "p95", "p99", "p999", "most")]
        self.assertEqual(times, sorted(times))
        if times[-1] > 0:
            self.assertGreaterEqual(told["latencyMs"]["mean"], times[0])
            self.assertLessEqual(told["latencyMs"]["mean"], times[-1])

    def assert_all_good(self, told, n, polls):
        self.assert_consistent(told)
        self.assertEqual(told["cards"],
                         {"made": n, "on": n, "polled": n, "polling": 0, "broken": 0})
        self.assertEqual((told["polls"]["ended"], told["polls"]["failed"], told["failures"]),
                         (polls, 0, []))
        self.assertEqual((told["latencyMs"]["n"], told["faults"]), (polls, 0))

    def requests(self, function):
        self.eim.server.stop()
        return [line for line in self.eim.log() if line.get("function") == function]


class Polls(Fleet):
    def test_every_card_polls_once(self):
        self.make_eim().serve("--register-any")
        told, _ = self.fleet(N, "--polls", "1")
        self.assert_all_good(told, N, N)
        asked = self.requests("getEimPackage")
        self.assertEqual(len(asked), N)
        self.assertEqual(len({line["eid"] for line in asked}), N)
        self.assertEqual((told["polls"]["exchanges"], told["polls"]["handshakes"]), (N, N))
        self.assertEqual((told["polls"]["resumed"], told["traffic"]["links"]), (0, N))
        self.assertGreater(told["traffic"]["sent"], 0)
        self.assertGreater(told["traffic"]["received"], 0)

    def test_names_are_resolved(self):
        """By this machine, as a DNS server of the network; whatever its resolver knows."""
        self.make_eim(at="eim.localhost").serve("--register-any", "--port", "0")
        port = self.eim.address.rsplit(":", 1)[1]
        told, _ = self.fleet(2, "--polls", "1", "--map", f"*:443=127.0.0.1:{port}")
        self.assert_all_good(told, 2, 2)
        self.assertGreater(told["traffic"]["datagramsSent"], 0)

    def test_over_coap(self):
        self.make_eim("--protocol", "coaps").serve("--register-any", "--coap=0")
        coaps = self.eim.told().split("coaps at ")[1].strip()
        told, _ = self.fleet(N, "--polls", "1", "--map", f"127.0.0.1:*={coaps}")
        self.assert_all_good(told, N, N)
        self.assertGreater(told["traffic"]["datagramsReceived"], N)
        self.assertEqual(len(self.requests("getEimPackage")), N)

    def test_a_second_poll_is_resumed(self):
        self.make_eim().serve("--register-any")
        told, _ = self.fleet(2, "--polls", "2", "--poll", "10")
        self.assert_all_good(told, 2, 4)
        self.assertEqual((told["polls"]["handshakes"], told["polls"]["resumed"]), (4, 2))

    def test_an_interrupt_ends_it_with_the_summary(self):
        self.make_eim().serve("--register-any")
        running = Process([LAB, "fleet", "3", "--eim", self.eim.initial, "--ramp", "0",
                           "--duration", "0", "--json"])
        wait_for(lambda: self.eim.server.output.count('"function":"getEimPackage"') == 3,
                 "three polls")
        self.assertIn(running.stop(signal.SIGINT), (0, 1))  # the last answer may be on its way
        told = json.loads(running.output[running.output.index("{"):].rsplit("}", 1)[0] + "}")
        self.assert_consistent(told)
        self.assertEqual(told["cards"]["on"], 3)

    def test_it_ends_after_its_duration(self):
        self.make_eim().serve("--register-any")
        told, _ = self.fleet(2, "--duration", "1")
        self.assert_all_good(told, 2, 2)
        self.assertGreater(told["process"]["seconds"], 0.9)  # clocks of the event loop are coarse
        self.assertLess(told["process"]["cpuSeconds"], told["process"]["seconds"])

    def test_a_summary_for_people(self):
        self.make_eim().serve("--register-any")
        out = lab("fleet", "2", "--eim", self.eim.initial, "--ramp", "0", "--polls", "1",
                  f"--json={self.path('summary')}")[0]
        self.assertIn("2 polls, 0 of them failed", out)
        with open(self.path("summary"), encoding="utf-8") as f:
            self.assert_all_good(json.load(f), 2, 2)


class Work(Fleet):
    def test_every_card_does_its_package(self):
        self.make_eim("--learn", "yes")
        devices = self.devices(N)
        eids = [device["eid"] for device in devices]
        self.assertEqual(len(set(eids)), N)
        for device in devices:
            (eim,) = device["eims"]
            self.eim.do("device", device["eid"], "--token", str(eim["associationToken"]))
            self.eim.do("queue", device["eid"], "list")
        self.eim.serve()
        told, _ = self.fleet(N, "--seed", "test", "--polls", "1")
        self.assert_all_good(told, N, N)
        self.assertEqual((told["packages"]["euicc"], told["packages"]["data"]), (N, N))
        self.assertEqual((sum(told["packages"].values()), told["results"]), (2 * N, 2 * N))
        for eid in eids:
            (device,) = json.loads(self.eim.do("show", eid, "--json"))["devices"]
            self.assertEqual({work["state"] for work in device["work"]}, {"done"})

    def test_downloads(self):
        os.mkdir(self.path("profiles"))
        os.symlink(source(OPERATIONAL), self.path("profiles/" + OPERATIONAL + ".der"))
        dp = SmDp(self.path("profiles"))
        self.addCleanup(dp.stop)
        self.addCleanup(dp.connection.close)
        self.make_eim()
        for device in self.devices(2):
            self.eim.do("device", device["eid"])
            self.eim.do("queue", device["eid"], "download", dp.code(OPERATIONAL), "indirect")
        self.eim.serve()
        told, _ = self.fleet(2, "--seed", "test", "--polls", "1", "--folder", self.path("cards"))
        self.assert_all_good(told, 2, 2)
        self.assertEqual((told["downloads"], told["downloadsFailed"]), (2, 0))
        self.assertEqual(told["packages"]["download"], 2)
        for name in os.listdir(self.path("cards")):
            shown = json.loads(softeuicc("show", "--json", self.path("cards/" + name)).stdout)
            self.assertEqual([p["iccid"] for p in shown["profiles"]], [ICCIDS[OPERATIONAL]])

    def test_a_download_that_fails(self):
        self.make_eim()
        (device,) = self.devices(1)
        self.eim.do("device", device["eid"])
        self.eim.do("queue", device["eid"], "download", "1$127.0.0.1:1$none", "indirect")
        self.eim.serve()
        told, complained = self.fleet(1, "--seed", "test", "--polls", "1", status=1)
        self.assert_consistent(told)
        self.assertEqual((told["downloads"], told["downloadsFailed"]), (0, 1))
        self.assertTrue(any("the download fails" in f["cause"] for f in told["failures"]))
        self.assertIn("failures", complained)


class Failures(Fleet):
    def test_a_server_with_another_key(self):
        """The cards trust one certificate; the eIM at its address has another."""
        trusted = self.make_eim("--tls-trust", "certificate")
        pki = self.path("pki")
        self.assertEqual(softeuicc("pki", pki).returncode, 0)
        other = self.make_eim("--pki", pki, name="other", eim_id="eim2")
        other.serve("--register-any")
        told, complained = self.fleet(N, "--polls", "1", "--map",
                                      f"*:*={other.address}", eim=trusted.initial, status=1)
        self.assert_consistent(told)
        self.assertEqual((told["polls"]["failed"], told["polls"]["good"]), (N, 0))
        self.assertEqual(told["cards"]["polled"], 0)
        (failure,) = told["failures"]
        self.assertEqual(failure["n"], N)
        self.assertRegex(failure["cause"], "^untrusted: TLS: server's certificate: ")
        self.assertIn(f"{N} cards of {N} had no good poll", complained)
        self.assertEqual(other.log(), [])

    def test_nobody_there(self):
        told, _ = self.fleet(2, "--polls", "1", eim=self.make_eim().initial, status=1)
        self.assert_consistent(told)
        (failure,) = told["failures"]
        self.assertEqual(failure["n"], 2)
        self.assertRegex(failure["cause"], "^retry later: OPEN CHANNEL: result 3A")

    def test_an_eim_that_does_not_know_them(self):
        self.make_eim().serve()
        told, _ = self.fleet(2, "--polls", "1", status=1)
        self.assert_consistent(told)
        self.assertEqual(told["polls"]["failed"], 2)

    def test_wrong_usage(self):
        eim = self.make_eim().initial
        for options in ([], ["0"], ["x"], ["2", "3"], ["1", "--poll", "9"], ["1", "--set", "ipae"],
                        ["1", "--map", "a"], ["1", "--nonsense"], ["1", "--seed", ""],
                        ["1", "--dns", "a"], ["1", "--polls", "0"], ["100001"]):
            lab("fleet", "--eim", eim, *options, status=2)
        self.assertIn("--eim is missing", lab("fleet", "1", status=2)[1])

    def test_what_makes_no_card(self):
        eim = self.make_eim().initial
        for options, what in ((["--set", "none=1"], "there is no setting none"),
                              (["--profile", eim], "profile 1"),
                              (["--profile", self.path("none")], "none")):
            self.assertIn(what, lab("fleet", "1", "--eim", eim, *options, status=1)[1])
        self.assertIn("eIM 1", lab("fleet", "1", "--eim", source(OPERATIONAL), status=1)[1])


class Cards(Fleet):
    def test_the_same_seed_makes_the_same_cards(self):
        self.make_eim()
        first = self.devices(3)
        self.assertEqual(self.devices(2), first[:2])
        for device in first:
            for name in ("eumCertificate", "euiccCertificate"):
                self.assertTrue(device[name].startswith("-----BEGIN CERTIFICATE-----\n"))
            (eim,) = device["eims"]
            self.assertEqual((eim["eimId"], eim["associationToken"]), ("eim1", 1))
        self.assertEqual(len({device["euiccCertificate"] for device in first}), 3)
        self.assertEqual(len({device["eumCertificate"] for device in first}), 1)
        self.assertEqual(self.devices(2, "--seed", "other"), self.devices(2, "--seed", "other"))
        self.assertNotEqual(self.devices(2, "--seed", "other"), first[:2])

    def test_cards_in_a_folder_stay(self):
        self.make_eim().serve("--register-any")
        where = ("--seed", "test", "--folder", self.path("cards"))
        profile = ("--profile", source(OPERATIONAL) + ",enabled")
        told, _ = self.fleet(2, *where, *profile, "--polls", "1")
        self.assert_all_good(told, 2, 2)
        told, _ = self.fleet(3, *where, "--polls", "1")
        self.assert_all_good(told, 3, 3)
        names = sorted(os.listdir(self.path("cards")))
        self.assertEqual(names, ["card-00000", "card-00001", "card-00002"])
        shown = [json.loads(softeuicc("show", "--json", self.path("cards/" + name)).stdout)
                 for name in names]
        self.assertEqual([len(card["profiles"]) for card in shown], [1, 1, 0])
        self.assertEqual(shown[0]["profiles"][0]["state"], "enabled")
        self.assertEqual([card["eid"] for card in shown], [d["eid"] for d in self.devices(3)])
        self.assertEqual({line["eid"] for line in self.requests("getEimPackage")},
                         {card["eid"] for card in shown})


if __name__ == "__main__":
    unittest.main()
