"""What the stories of SGP.32 are played with, and the whole story: eIMs, SM-DP+ and IPA, each
driven by its command line."""

import json
import os
import shutil
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from programs import (DEADLINE, EID, SOFTEUICC, Process, Scratch, new_card,  # noqa: E402,F401
                      softeuicc, wait_for)
from test_lab import LAB, PROFILE, SmDp  # noqa: E402

PROFILES = os.path.dirname(PROFILE)
TESTDATA = os.environ.get("SOFTEUICC_TESTDATA", "")
OPERATIONAL, FALLBACK, OTHER, EMERGENCY = "operational", "bootstrap", "ims", "iot"
TS48 = "TS48v5_SAIP2.3_BERTLV_SUCI"
ICCIDS = {OPERATIONAL: "8900010000000000019", FALLBACK: "8900010000000000134",
          OTHER: "8900010000000000126", EMERGENCY: "8900010000000000142",
          "tuak": "8900010000000000118",
          TS48: "89000123456789012341"}


def source(name):
    return os.path.join(TESTDATA, "ts48" if name == TS48 else PROFILES, name + ".der")


def published():
    """A TS.48 profile where the test data are, else one of ours."""
    if TESTDATA and os.path.exists(source(TS48)):
        return TS48
    print("no SOFTEUICC_TESTDATA: tuak stands in for the TS.48 profile", file=sys.stderr)
    return "tuak"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def lab(*arguments, status=0):
    """softeuicc-lab: what it printed, and what it complained of."""
    done = subprocess.run([LAB, *arguments], capture_output=True, text=True, check=False,
                          timeout=2 * DEADLINE)
    if done.returncode != status:
        raise AssertionError(f"{' '.join(arguments)}: exit status {done.returncode}\n"
                             f"{done.stdout}{done.stderr}")
    return done.stdout, done.stderr


class Eim:
    """softeuicc-lab eim with one DB."""

    def __init__(self, folder, name, *options, eim_id=None, at=None):
        self.db = os.path.join(folder, name + ".db")
        self.initial = os.path.join(folder, name + ".der")
        self.ready = os.path.join(folder, name + ".ready")
        self.name = name
        self.server = None
        if (eim_id or name) != "eim1":  # whose key is that of the PKI
            options = ("--eim-id", name, *options)
        self.do("new", "--fqdn", at or f"127.0.0.1:{free_port()}", *options)
        self.do("config", "--request", "--out", self.initial)

    def do(self, subcommand, *arguments, status=0):
        return lab("eim", subcommand, self.db, *arguments, status=status)[0]

    def serve(self, *options):
        if os.path.exists(self.ready):
            os.remove(self.ready)
        self.server = Process([LAB, "eim", "serve", self.db, "--ready-file", self.ready, *options])
        wait_for(lambda: self.told() or self.server.process.poll() is not None, "the ready file")
        self.server.says("\n")
        self.address = self.told().split("listening at ")[1].split()[0].rstrip(",")

    def told(self):
        """The line in the ready file, once it is all there."""
        if not os.path.exists(self.ready):
            return ""
        with open(self.ready, encoding="utf-8") as f:
            line = f.read()
        return line if line.endswith("\n") else ""

    def stop(self):
        if self.server is not None:
            self.server.stop()
        self.server = None

    def log(self):
        return [json.loads(line) for line in self.server.output.splitlines()[1:]]

    def queue(self, *operation):
        return self.do("queue", EID, *operation).strip()

    def results(self, number, status=0):
        lines = self.do("results", EID, "--number", number, status=status).splitlines()
        return [json.loads(line) for line in lines]

    def work(self, number):
        (device,) = json.loads(self.do("show", EID, "--json"))["devices"]
        return next(w for w in device["work"] if str(w["number"]) == number)


class Terminal(Process):
    """softeuicc-lab terminal, told what to do line by line."""

    def __init__(self, *options):
        super().__init__([LAB, "terminal", "--json", "--trace", "-", *options],
                         stdin=subprocess.PIPE)

    def tell(self, *lines):
        self.process.stdin.write("".join(line + "\n" for line in lines))
        self.process.stdin.flush()

    def rest(self, *lines):
        """Does this, and waits until there is nothing left to do.  The counts."""
        told = len(self.counts())
        self.tell(*lines, "rest", "counts")
        wait_for(lambda: len(self.counts()) > told or self.process.poll() is not None, "rest")
        return self.counts()[-1]

    def lines(self):
        whole = self.output[:self.output.rfind("\n") + 1]
        return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]

    def counts(self):
        return [line for line in self.lines() if "phases" in line]

    def commands(self, name):
        return [line for line in self.lines()
                if line.get("kind") == "command" and line.get("name") == name]


class Device:
    """An eUICC and what it is in; this one is a card file."""

    def __init__(self, card, *where):
        self.card = card
        self.where = where or ("--card", card)

    def ipa(self, *arguments, status=0):
        return lab("ipa", *self.where, *arguments, status=status)

    def show(self):
        """What the file says."""
        done = softeuicc("show", "--json", self.card)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return json.loads(done.stdout)

    def states(self):
        """Of the profiles, as the file says and as the card says."""
        listed = json.loads(self.ipa("--json", "list")[0])
        return [{p["iccid"]: p["state"] for p in self.show()["profiles"]},
                {p["iccid"]: p["profileState"] for p in listed}]


class Tale:
    """One card, one SM-DP+, one eIM; a TestCase besides."""

    maxDiff = None

    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.remove)
        self.folder = self.scratch.path
        self.card = new_card(self.folder)
        self.device = self.make_device()
        self.dp = self.start_smdp(os.path.join(self.folder, "profiles"))
        self.eim = None
        self.start(Eim(self.folder, "eim1"))

    def start_smdp(self, folder):
        os.mkdir(folder)
        for name in ICCIDS:
            if os.path.exists(source(name)):
                shutil.copyfile(source(name), os.path.join(folder, name + ".der"))
        for name, text in ((FALLBACK, "profileClass=provisioning\nfallback-allowed=yes\n"),
                           (EMERGENCY, "ecall=yes\n")):
            with open(os.path.join(folder, name + ".metadata"), "w", encoding="ascii") as f:
                f.write(text)
        dp = SmDp(folder)
        self.addCleanup(dp.stop)
        self.addCleanup(dp.connection.close)
        return dp

    def start(self, eim, *options):
        """From here on this is the eIM."""
        eim.serve(*options)
        self.addCleanup(eim.stop)
        self.eim = eim

    def poll(self, *how):
        return self.device.ipa("poll", *how)[0]

    def work(self, *operation, poll=()):
        """Queues it, lets the device do it, and has the result verified."""
        number = self.eim.queue(*operation)
        self.poll(*poll)
        results = self.eim.results(number)
        for result in results:
            self.assertTrue(result["verified"] and result["schema"] and result["seqNumberIsNew"])
        return results

    def assert_ok(self, result, *operations):
        self.assertEqual([r["operation"] for r in result["results"]], list(operations))
        for r in result["results"]:
            self.assertEqual(r.get("code", 0), 0, r)

    def associate(self):
        said = self.device.ipa("add-initial-eim", self.eim.initial)[0]
        self.assertRegex(said, r"^AddInitialEim: ok, association token \d+\n$")
        self.eim.do("device", EID)
        self.assertIn("ipaEuiccData: ok(0)", self.poll())
        (device,) = json.loads(self.eim.do("show", EID, "--json"))["devices"]
        self.assertEqual(device["associationToken"], int(said.rsplit(" ", 1)[1]))
        self.assertTrue(device["certificate"])

    def download(self, name, *how, indirect=True):
        number = self.eim.queue("download", self.dp.code(name), *(["indirect"] * indirect))
        said = self.poll(*how)
        (result,) = self.eim.results(number)
        self.assertEqual((result["iccid"], result["success"], result["notificationVerified"]),
                         (ICCIDS[name], True, True))
        return said

    def assert_states(self, expected):
        """By name."""
        expected = {ICCIDS[name]: state for name, state in expected.items()}
        for states in self.device.states():
            self.assertEqual(states, expected)

    def assert_nothing_pending(self):
        shown = self.device.show()
        self.assertEqual((shown["notifications_pending"], shown["iot"]["package_results"]), (0, []))


class Story(Tale):
    """The whole of it, one step after the other."""

    def test_the_whole_story(self):
        self.third = published()
        self.associate()
        self.profiles_arrive()
        self.rollback()
        self.fallback()
        self.the_eim_moves()
        self.immediate_enabling()
        self.handover()
        self.the_last_eim_goes()

    def profiles_arrive(self):
        (result,) = self.work("list")
        self.assertEqual(result["results"], [{"operation": "listProfileInfo", "profiles": []}])
        for name in (OPERATIONAL, self.third, FALLBACK):
            self.download(name)
        (result,) = self.work("list")
        self.assertEqual([p["iccid"] for p in result["results"][0]["profiles"]],
                         [ICCIDS[name] for name in (OPERATIONAL, self.third, FALLBACK)])
        (result,) = self.work("enable", ICCIDS[OPERATIONAL])
        self.assert_ok(result, "enable")

    def rollback(self):
        """Delivered: the grant has ended.  Not delivered: what was enabled before comes back."""
        (result,) = self.work("enable", ICCIDS[self.third], "rollback")
        self.assert_ok(result, "enable")
        enabled = {OPERATIONAL: "disabled", self.third: "enabled", FALLBACK: "disabled"}
        self.assert_states(enabled)
        self.assertNotIn("rollback", self.device.show()["iot"])
        self.assertIn("rollbackNotAllowed(1)", self.device.ipa("rollback", status=1)[1])
        number = self.eim.queue("enable", ICCIDS[OPERATIONAL], "rollback")
        said, _ = self.device.ipa("poll", "--no-provide", "--rollback-after", "2", status=1)
        self.assertIn("profileRollback: enable ok(0), rollback ok(0)\n", said)
        self.assert_states(enabled)
        self.assertEqual(len(self.device.show()["iot"]["package_results"]), 1)
        self.assertEqual(self.eim.work(number)["state"], "out")
        self.poll()
        (result,) = self.eim.results(number)
        self.assertTrue(result["verified"])
        self.assert_ok(result, "enable", "rollback")
        self.assert_nothing_pending()

    def fallback(self):
        (result,) = self.work("fallback", ICCIDS[FALLBACK])
        self.assert_ok(result, "setFallbackAttribute")
        self.device.ipa("fallback")
        self.assert_states({OPERATIONAL: "disabled", self.third: "disabled", FALLBACK: "enabled"})
        self.poll("--state-change", "fallback", "--rplmn", "00101")
        self.assertIn('"stateChangeCause":"fallback"', self.eim.server.output)
        (result,) = self.work("list", "iccid", ICCIDS[FALLBACK])
        (profile,) = result["results"][0]["profiles"]
        self.assertTrue(profile["fallbackAttribute"] and profile["profileState"] == "enabled")
        self.device.ipa("return-from-fallback")
        self.assert_states({OPERATIONAL: "disabled", self.third: "enabled", FALLBACK: "disabled"})
        self.poll()
        self.assert_nothing_pending()

    def the_eim_moves(self):
        """updateEim brings another address and a higher counter; the key is the same."""
        port = free_port()
        moved = Eim(self.folder, "moved", "--counter", "1000", at=f"127.0.0.1:{port}",
                    eim_id="eim1")
        (result,) = self.work("update-eim", moved.initial)
        self.assert_ok(result, "updateEim")
        (eim,) = self.device.show()["iot"]["eims"]
        self.assertEqual((eim["fqdn"], eim["counter"], eim["token"]),
                         (f"127.0.0.1:{port}", 1000, 1))
        self.eim.stop()
        self.eim.do("device", EID, "--counter", "1000")
        self.eim.serve("--port", str(port))
        (result,) = self.work("list-eims")
        self.assertEqual(result["counter"], 1001)

    def immediate_enabling(self):
        address = self.dp.address
        (result,) = self.work("default-dp", address, "+", "immediate-enable", "address", address)
        self.assert_ok(result, "setDefaultDpAddress", "configureImmediateEnable")
        self.download(OTHER, "--immediate-enable")
        self.assertIn('"stateChangeCause":"immediateEnableProfile"', self.eim.server.output)
        (result,) = self.work("delete", ICCIDS[OPERATIONAL])
        self.assert_ok(result, "delete")
        self.assert_states({self.third: "disabled", FALLBACK: "disabled", OTHER: "enabled"})
        iot = self.device.show()["iot"]
        self.assertTrue(iot["immediate_enable"]["on"])
        self.assert_nothing_pending()

    def eims(self):
        return [eim["id"] for eim in self.device.show()["iot"]["eims"]]

    def handover(self):
        """One command; the rest comes with the device's next conversations."""
        old, new = self.eim, Eim(self.folder, "eim2")
        self.start(new)
        number = old.do("handover", EID, new.db).strip()
        self.poll()
        (result,) = old.results(number)
        self.assertTrue(result["verified"])
        self.assertEqual(result["results"], [{"operation": "addEim", "associationToken": 2}])
        self.assertEqual(self.eims(), ["eim1", "eim2"])
        wait_for(lambda: '"function":"handover"' in old.server.output, "the other eIM knows")
        self.poll()
        self.assertEqual(self.eims(), ["eim2"])
        (result,) = self.work("list")
        self.assertEqual(len(result["results"][0]["profiles"]), 3)
        (result,) = self.work("disable", ICCIDS[OTHER])
        self.assert_ok(result, "disable")
        self.assert_states({self.third: "disabled", FALLBACK: "disabled", OTHER: "disabled"})
        number = old.queue("enable", ICCIDS[OTHER])
        self.assertIn("noEimPackageAvailable", self.poll("--url", old.address))
        old.do("device", EID)  # it takes the device for its own again; the eUICC does not
        self.poll("--url", old.address)
        (result,) = old.results(number, status=1)
        self.assertEqual(result["error"], {"signed": False})
        self.assert_states({self.third: "disabled", FALLBACK: "disabled", OTHER: "disabled"})

    def the_last_eim_goes(self):
        (result,) = self.work("delete-eim", "eim2")
        self.assertEqual([(r["operation"], r["name"]) for r in result["results"]],
                         [("deleteEim", "lastEimDeleted")])
        self.assertEqual(self.eims(), [])
        self.assert_nothing_pending()
        self.assertIn("the eUICC has no eIM", self.device.ipa("poll", status=1)[1])
        self.assertEqual(self.device.ipa("add-initial-eim", self.eim.initial)[0],
                         "AddInitialEim: ok, association token 3\n")
