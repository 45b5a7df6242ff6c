#!/usr/bin/python3
"""SGP.32 from end to end: a new card, its eIMs and its IPA, each driven by its command line.

The card is a file here; tests/pcsc/test_sgp32_pcsc.py tells the same story through PC/SC.
SOFTEUICC and SOFTEUICC_LAB are the programs, SOFTEUICC_PROFILE is operational.der; a TS.48 profile
is taken from SOFTEUICC_TESTDATA, one of ours stands in where that is not set."""

import json
import os
import shlex
import subprocess
import unittest

from sgp32 import (DEADLINE, EID, EMERGENCY, FALLBACK, ICCIDS, LAB, OPERATIONAL, PROFILES,
                   SOFTEUICC, Device, Eim, Process, Scratch, Story, Tale, free_port, lab, new_card,
                   softeuicc, wait_for)

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "README.md")


class WholeStory(Story, unittest.TestCase):
    """The card file is used directly."""

    def make_device(self):
        return Device(self.card)


class Variants(Tale, unittest.TestCase):
    """Shorter runs: what else the two ends can agree on, and what they refuse."""

    def make_device(self):
        return Device(self.card)

    def short_run(self, *how):
        """Association, download, enable with rollback, there and back."""
        self.associate()
        self.download(OPERATIONAL, *how)
        self.download(FALLBACK, *how)
        self.work("enable", ICCIDS[OPERATIONAL], poll=how)
        (result,) = self.work("enable", ICCIDS[FALLBACK], "rollback", "+", "default-dp", "dp.test",
                              poll=how)
        self.assert_ok(result, "enable", "setDefaultDpAddress")
        self.assert_states({OPERATIONAL: "disabled", FALLBACK: "enabled"})
        self.eim.queue("enable", ICCIDS[OPERATIONAL], "rollback")
        self.device.ipa("poll", *how, "--no-provide", "--rollback-after", "1", status=1)
        self.poll(*how)
        self.assert_states({OPERATIONAL: "disabled", FALLBACK: "enabled"})
        self.assert_nothing_pending()

    def test_in_json(self):
        self.short_run("--binding", "json")

    def test_with_short_messages(self):
        self.short_run("--compact")

    def test_with_short_messages_in_json(self):
        self.short_run("--compact", "--binding", "json")

    def test_an_eim_that_handles_the_download(self):
        self.associate()
        features = ("--features", "indirect,eim-download,eim-ctx,eim-metadata")
        self.assertIn("through the eIM", self.download(OPERATIONAL, *features))
        self.assert_states({OPERATIONAL: "disabled"})

    def test_a_direct_download(self):
        self.start(Eim(self.folder, "direct", "--indirect", "no"))
        self.associate()
        said = self.download(OPERATIONAL, indirect=False)
        self.assertIn(f"download: from {self.dp.address}\n", said)
        self.assertEqual([line["operation"] for line in self.dp.log()
                          if line["function"] == "handleNotification"], ["install"])
        self.assertNotIn("initiateAuthentication", self.eim.server.output)
        self.assert_states({OPERATIONAL: "disabled"})
        self.assert_nothing_pending()

    def test_a_download_that_fails_is_told(self):
        self.associate()
        for indirect in (["indirect"], []):
            number = self.eim.queue("download", self.dp.code("nothing"), *indirect)
            self.device.ipa("poll", status=1)
            (result,) = self.eim.results(number, status=1)
            self.assertEqual(result["kind"], "download")
            self.assertIn("error", result)
        self.assert_states({})
        self.assert_nothing_pending()

    def test_what_is_wrong_is_refused_and_the_next_is_not(self):
        self.associate()
        self.download(OPERATIONAL)
        for fault, error in (
                ("signature", {"signed": False}),
                ("token=9", {"signed": False}),
                ("eid", {"signed": True, "code": 3, "name": "invalidEid"}),
                ("counter=0", {"signed": True, "code": 4, "name": "replayError"}),
                ("replay", {"signed": True, "code": 4, "name": "replayError"}),
                ("counter=8388608",
                 {"signed": True, "code": 6, "name": "counterValueOutOfRange"})):
            with self.subTest(fault=fault):
                number = self.eim.queue("enable", ICCIDS[OPERATIONAL], "--fault", fault)
                self.device.ipa("poll")
                (result,) = self.eim.results(number, status=1)
                self.assertEqual(result["error"], error)
                self.assertEqual(result["verified"], error["signed"])
                self.assert_states({OPERATIONAL: "disabled"})
        number = self.eim.queue("enable", ICCIDS[OPERATIONAL], "--fault", "eim-id=ghost")
        self.device.ipa("poll")
        (result,) = self.eim.results(number, status=1)  # the transaction tells whose it is
        self.assertEqual((result["eimId"], result["error"]), ("ghost", {"signed": False}))
        work = self.eim.work(number)
        self.assertEqual((work["state"], work["delivered"], work["why"]),
                         ("failed", 1, "the eUICC did not accept the package"))
        (result,) = self.work("enable", ICCIDS[OPERATIONAL])
        number = self.eim.queue("list", "--fault", "replay")
        self.device.ipa("poll")
        (replayed,) = self.eim.results(number, status=1)
        self.assertEqual((replayed["error"]["name"], replayed["counter"]),
                         ("replayError", result["counter"]))
        self.assert_states({OPERATIONAL: "enabled"})
        self.assert_nothing_pending()

    def assert_shown(self, *lines):
        """What `softeuicc show` says in words."""
        done = softeuicc("show", self.card)
        self.assertEqual(done.returncode, 0, done.stderr)
        for line in lines:
            self.assertIn(line + "\n", done.stdout)

    def test_what_brings_a_profile_back_is_shown(self):
        self.associate()
        for name in (OPERATIONAL, FALLBACK, EMERGENCY):
            self.download(name)
        self.work("enable", ICCIDS[OPERATIONAL])
        self.work("fallback", ICCIDS[FALLBACK])
        self.assert_shown(f"fallback       to {ICCIDS[FALLBACK]}")
        self.device.ipa("fallback")
        self.assert_shown(f"fallback       to {ICCIDS[FALLBACK]}",
                          f"fallback       happened; returns to {ICCIDS[OPERATIONAL]}")
        self.device.ipa("emergency", "on")
        self.assert_shown("emergency      the Emergency Profile is enabled; "
                          f"then {ICCIDS[FALLBACK]}")
        self.device.ipa("emergency", "off")
        self.device.ipa("return-from-fallback")
        number = self.eim.queue("enable", ICCIDS[FALLBACK], "rollback")
        self.device.ipa("poll", "--no-provide", status=1)
        (seq,) = self.device.show()["iot"]["package_results"]
        self.assert_shown(f"rollback       to {ICCIDS[OPERATIONAL]}, granted by result {seq}",
                          f"results        of eUICC Packages, pending: {seq}")
        self.poll()
        self.eim.results(number)
        said = softeuicc("show", self.card).stdout
        for word in ("rollback  ", "emergency  ", "results  ", "happened"):
            self.assertNotIn(word, said)

    def test_an_ipa_and_a_card_of_version_1_0_1(self):
        self.card = new_card(self.folder, "--set", "sgp32_version=1.0.1", name="old")
        self.device = self.make_device()
        how = ("--version", "1.0.1")
        self.eim.do("device", EID)
        self.device.ipa("add-initial-eim", self.eim.initial)
        self.poll(*how)
        (device,) = json.loads(self.eim.do("show", EID, "--json"))["devices"]
        self.assertEqual((device["ipaVersion"], device["euiccVersion"], device["certificate"]),
                         ("1.0.1", "1.0.1", True))
        for name in (OPERATIONAL, FALLBACK):
            self.download(name, *how)
        (result,) = self.work("enable", ICCIDS[OPERATIONAL], poll=how)
        self.assert_ok(result, "enable")
        (result,) = self.work("list", "+", "rat", poll=how)
        self.assert_ok(result, "listProfileInfo", "getRAT")
        self.assert_states({OPERATIONAL: "enabled", FALLBACK: "disabled"})
        number = self.eim.queue("enable", ICCIDS[FALLBACK], "rollback")
        self.device.ipa("poll", *how, "--no-provide", "--rollback-after", "1", status=1)
        self.poll(*how)
        (result,) = self.eim.results(number)
        self.assert_ok(result, "enable", "rollback")
        number = self.eim.queue("default-dp", "dp.test")  # it came with v1.1
        self.poll(*how)
        (result,) = self.eim.results(number, status=1)
        self.assert_states({OPERATIONAL: "enabled", FALLBACK: "disabled"})
        self.assert_nothing_pending()

    def test_a_device_that_the_eim_does_not_know(self):
        self.device.ipa("add-initial-eim", self.eim.initial)
        self.assertIn("eidNotFound(2)", self.device.ipa("poll", status=1)[1])
        self.eim.do("device", EID)
        self.poll()

    def test_every_operation_has_a_result_that_verifies(self):
        self.associate()
        self.download(OPERATIONAL)
        self.download(FALLBACK)
        (result,) = self.work("list", "+", "rat", "+", "fallback", ICCIDS[FALLBACK], "+",
                              "no-fallback", "+", "immediate-enable", "off", "+", "default-dp", "")
        self.assert_ok(result, "listProfileInfo", "getRAT", "setFallbackAttribute",
                       "unsetFallbackAttribute", "configureImmediateEnable", "setDefaultDpAddress")
        (result,) = self.work("list-eims")
        self.assertEqual(result["results"], [{"operation": "listEim", "eims": [{"eimId": "eim1"}]}])

    def test_an_emergency_comes_first(self):
        self.associate()
        self.download(OPERATIONAL)
        self.download(EMERGENCY)
        self.device.ipa("emergency", "on")
        package, download = (self.eim.queue(*operation) for operation in (
            ["enable", ICCIDS[OPERATIONAL]],
            ["download", self.dp.code(FALLBACK), "indirect"]))
        self.device.ipa("poll", "--state-change", "emergency", status=1)
        self.assertIn('"stateChangeCause":"emergencyProfile"', self.eim.server.output)
        (result,) = self.eim.results(package, status=1)
        self.assertEqual(result["error"], {"signed": True, "code": 104, "name": "ecallActive"})
        self.assertTrue(result["verified"])
        (result,) = self.eim.results(download, status=1)
        self.assertEqual(result["error"]["reason"], "ecallActive")
        self.assert_states({OPERATIONAL: "disabled", EMERGENCY: "enabled"})
        self.device.ipa("emergency", "off")
        self.work("enable", ICCIDS[OPERATIONAL])
        self.assert_states({OPERATIONAL: "enabled", EMERGENCY: "disabled"})
        self.assert_nothing_pending()

    def test_an_eim_without_tokens(self):
        self.start(Eim(self.folder, "tokenless", "--token", "no", "--counter", "5"))
        self.assertEqual(self.device.ipa("add-initial-eim", self.eim.initial)[0],
                         "AddInitialEim: ok\n")
        self.eim.do("device", EID)
        self.poll()
        (result,) = self.work("list")
        self.assertEqual(result["counter"], 6)

    def test_every_curve_and_form_of_key(self):
        for options in (["--curve", "brp"], ["--public-key", "certificate"],
                        ["--tls-trust", "spki"], ["--tls-trust", "certificate"],
                        ["--id-type", "fqdn"]):
            with self.subTest(options=options):
                name = "_".join(options).strip("-")
                self.start(Eim(self.folder, name, *options))
                self.associate()
                (result,) = self.work("delete-eim", name)
                self.assertEqual(result["results"][0]["name"], "lastEimDeleted")


    def test_an_eim_with_the_longest_name(self):
        """128 characters of four octets; it is handed the device, and hands it back."""
        name = "\U0001F4F6" * 128
        first = self.eim
        self.associate()
        self.start(Eim(self.folder, "long", "--eim-id", name))
        first.do("handover", EID, self.eim.db)
        self.poll()
        wait_for(lambda: '"function":"handover"' in first.server.output, "the other eIM knows")
        self.poll("--eim-id", name)
        (eim,) = self.device.show()["iot"]["eims"]
        self.assertEqual(eim["id"], name)
        (result,) = self.work("list")
        self.assertEqual(result["eimId"], name)
        last = Eim(self.folder, "last")
        self.eim.do("handover", EID, last.db)
        self.poll()
        wait_for(lambda: '"function":"handover"' in self.eim.server.output, "the last one knows")
        self.start(last)
        self.poll()
        (eim,) = self.device.show()["iot"]["eims"]
        self.assertEqual(eim["id"], "last")
        said = lab("eim", "new", os.path.join(self.folder, "longer"), "--eim-id", name + "a",
                   status=1)[1]
        self.assertIn("1 to 128 characters", said)


class Readme(unittest.TestCase):
    """The commands of README.md, with other ports."""

    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.remove)
        self.said = []
        self.ports = {port: str(free_port()) for port in ("8443", "8444", "8445", "8446")}

    def commands(self, begin, end):
        with open(README, encoding="utf-8") as f:
            text = f.read().split("\n" + begin, 1)[1].split("\n" + end, 1)[0]
        text = text.replace("build/profiles", PROFILES).replace("smdpp", "smdpp --port 8443")
        text = text.replace("eim new my.eim", "eim new my.eim --fqdn 127.0.0.1:8444")
        for port, free in self.ports.items():
            text = text.replace(port, free)
        for line in text.splitlines():
            if line.startswith("    build/"):
                program, *words = shlex.split(line, comments=True)
                yield [SOFTEUICC if program == "build/cli/softeuicc" else LAB, *words]

    def start(self, command):
        server = Process(command)
        self.addCleanup(server.stop)
        server.says("listening at ")

    def run_it(self, command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=2 * DEADLINE,
                              cwd=self.scratch.path, check=False)
        self.assertEqual(done.returncode, 0, f"{command}: {done.stdout}{done.stderr}")
        self.said.append(done.stdout)

    def type_it(self, begin, end):
        for command in self.commands(begin, end):
            if command[-1] == "&":
                self.start([os.path.join(self.scratch.path, word) if word.endswith(".eim") else word
                            for word in command[:-1]])
            else:
                self.run_it(command)

    def test_with_an_ipa_in_the_card(self):
        self.start([LAB, "smdpp", "--port", self.ports["8443"], "--profiles", PROFILES])
        self.type_it("With an IPA of its own", "Against a server")
        results = [json.loads(line) for line in self.said[-1].splitlines()]
        (download,) = [r for r in results if r["kind"] == "download"]
        (enable,) = [r for r in results if r["kind"] == "package"]
        self.assertTrue(download["success"] and enable["verified"])
        self.assertEqual(enable["results"], [{"operation": "enable", "code": 0, "name": "ok"}])

    def test_its_commands_work(self):
        self.type_it("An eIM manages the card", "Without a")
        self.assertRegex(self.said[-1], "^eim2 [^\n]*\n$")
        self.assertIn(f"{ICCIDS[OPERATIONAL]}  enabled", "".join(self.said))


if __name__ == "__main__":
    unittest.main()
