#!/usr/bin/python3
"""Discovery: `softeuicc-lab smds`, asked by the LPA, by the IPAd for an eIM, and by the IPAe in the
card; and servers that are no SM-DS.  No PC/SC: the card is a file.

SOFTEUICC and SOFTEUICC_LAB are the programs, SOFTEUICC_PROFILE is operational.der."""

import base64
import json
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from programs import DEADLINE, EID, Scratch, new_card  # noqa: E402
from sgp32 import Eim, lab  # noqa: E402
from test_lab import (LAB, PROFILE, Card, Proxy, RspServer, SmDp, b64, children,  # noqa: E402
                      first, take, tlv)

PROFILES = os.path.dirname(PROFILE)
OTHER_EID = "89049032000000000000000000000001"
ICCIDS = {"operational": "8900010000000000019", "bootstrap": "8900010000000000134"}
EVENTS_MAX = 16
CI = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "certs",
                  "CertificateIssuer")


class SmDs(RspServer):
    """softeuicc-lab smds on a free port; each event is (EID, address, EventID)."""

    def __init__(self, *events, options=()):
        super().__init__("smds", "SM-DS", *options,
                         *(f"--event={eid}={address},{name}" for eid, address, name in events))

    def es12(self, function, status="", **fields):
        found = self.call(function, fields, "/gsma/rsp2/es12/")[1]
        assert found == status, f"{function} {fields}: {found}"

    def asked(self):
        """What it told, each time that it was asked."""
        return [[entry["eventId"] for entry in line["eventEntries"]] for line in self.log()
                if "eventEntries" in line]


class SmdsProxy(Proxy):
    """With a TLS certificate of the test CI, as an SM-DS has it."""

    def make_certificate(self, path, key):
        request = path + ".csr"
        subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=proxy", "-out", request,
                        "-keyout", key], check=True, capture_output=True)
        with open(path + ".cnf", "w", encoding="ascii") as f:
            f.write("subjectAltName=IP:127.0.0.1,RID:2.999.15\n"
                    "keyUsage=critical,digitalSignature\n"
                    "extendedKeyUsage=critical,serverAuth,clientAuth\n"
                    "certificatePolicies=2.23.146.1.2.1.6\n"
                    "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
        subprocess.run(["openssl", "x509", "-req", "-in", request, "-CA",
                        CI + "/CERT_CI_ECDSA_NIST.pem", "-CAkey", CI + "/SK_CI_ECDSA_NIST.pem",
                        "-set_serial", "7", "-days", "9", "-extfile", path + ".cnf",
                        "-out", path], check=True, capture_output=True)


class SmdsTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.remove)
        self.folder = self.scratch.path
        self.profiles = os.path.join(self.folder, "profiles")
        os.mkdir(self.profiles)
        for name in ICCIDS:
            shutil.copyfile(os.path.join(PROFILES, name + ".der"),
                            os.path.join(self.profiles, name + ".der"))
        self.card = new_card(self.folder)

    def started(self, server):
        self.addCleanup(server.stop)
        self.addCleanup(server.connection.close)
        return server

    def smdp(self):
        return self.started(SmDp(self.profiles))

    def smds(self, *events, options=()):
        return self.started(SmDs(*events, options=options))

    def ipa(self, *arguments, status=0):
        return lab("ipa", "--card", self.card, *arguments, status=status)

    def fails(self, why, *arguments):
        said, complaint = self.ipa(*arguments, status=1)
        self.assertEqual(complaint, f"softeuicc-lab ipa: {why}\n")
        return said

    def installed(self):
        listed = json.loads(self.ipa("--json", "list")[0])
        return sorted(p["iccid"] for p in listed)


class Lpa(SmdsTest):
    """Without an eIM, and with messages of our own."""

    def test_events_are_told_and_downloaded_in_their_order(self):
        dp = self.smdp()
        ds = self.smds((EID, dp.address, "operational"), (OTHER_EID, dp.address, "other"),
                       (EID, dp.address, "bootstrap"))
        said = (f"event operational at {dp.address}\n", f"event bootstrap at {dp.address}\n")
        self.assertEqual(self.ipa("discover", ds.address)[0], "authenticating\n" + "".join(said))
        self.assertEqual(json.loads(self.ipa("--json", "discover", ds.address)[0].split("\n")[0]),
                         {"eventId": "operational", "rspServerAddress": dp.address})
        self.assertEqual(self.installed(), [])
        said = self.ipa("--download", "discover", ds.address)[0]
        self.assertEqual(said.count("installed "), 2)
        self.assertEqual(self.installed(), sorted(ICCIDS.values()))
        notified = [line["seqNumber"] for line in dp.log()
                    if line["function"] == "handleNotification" and line["verified"]]
        self.assertEqual(notified, [1, 2])
        self.assertEqual(ds.asked(), [["operational", "bootstrap"]] * 3)
        self.assertEqual({line["eid"] for line in ds.log() if "eid" in line}, {EID})

    def test_the_root_smds_is_asked_unless_another_is_named(self):
        ds = self.smds((EID, "dp.test", "E1"), options=("--curve", "brp"))
        self.card = new_card(self.folder, "--set", f"root_ds={ds.address}", name="root")
        self.assertIn("event E1 at dp.test\n", self.ipa("discover")[0])
        self.card = new_card(self.folder, "--set", "root_ds=", name="none")
        self.fails("the eUICC has no root SM-DS address", "discover")

    def test_an_event_that_fails_leaves_the_others(self):
        dp = self.smdp()
        ds = self.smds((EID, dp.address, "missing"), (EID, dp.address, "operational"))
        self.fails("event missing: authenticateClient: refused by the server: 8.2.6 Matching ID, "
                   "3.8 Refused: no profile for this matching id",
                   "--download", "discover", ds.address)
        self.assertEqual(self.installed(), [ICCIDS["operational"]])

    def test_there_is_nothing(self):
        ds = self.smds((OTHER_EID, "dp.test", "E1"))
        self.assertEqual(self.ipa("discover", ds.address)[0], "authenticating\n")
        self.fails(f"the SM-DS at {ds.address} has no event", "--download", "discover", ds.address)
        self.assertEqual(ds.asked(), [[], []])

    def test_an_event_leads_to_another_smds(self):
        dp = self.smdp()
        other = self.smds((EID, dp.address, "operational"), (EID, dp.address, "not this one"))
        ds = self.smds((EID, other.address, "operational"))
        self.ipa("--download", "discover", ds.address)
        self.assertEqual(self.installed(), [ICCIDS["operational"]])
        self.assertEqual(other.asked(), [["operational"]])

    def test_an_event_that_leads_to_itself_ends(self):
        ds = self.smds()
        ds.es12("registerEvent", eid=EID, eventId="E1", rspServerAddress=ds.address)
        self.fails(f"event E1: authenticateClient: more than {EVENTS_MAX} events",
                   "--download", "discover", ds.address)
        self.assertEqual(len(ds.asked()), EVENTS_MAX + 1)

    def test_events_come_and_go_over_es12(self):
        ds = self.smds()
        event = {"eid": EID, "eventId": "E1"}
        ds.es12("registerEvent", **event, rspServerAddress="dp.test")
        ds.es12("registerEvent", "8.9.5 3.3", **event, rspServerAddress="dp.test")
        self.assertIn("event E1 at dp.test\n", self.ipa("discover", ds.address)[0])
        ds.es12("deleteEvent", **event)
        ds.es12("deleteEvent", "8.9.5 3.9", **event)
        self.assertEqual(self.ipa("discover", ds.address)[0], "authenticating\n")
        ds.es12("deleteEvent", "1.6 2.2", eid=EID)
        for wrong in ({"eid": EID[:-1]}, {"eventId": ""}, {"eventId": "x" * 129},
                      {"rspServerAddress": ""}, {"rspServerAddress": "x" * 256}):
            ds.es12("registerEvent", "1.6 2.1", **{**event, "rspServerAddress": "dp.test", **wrong})
        for i in range(256):
            ds.es12("registerEvent", eid=OTHER_EID, eventId=str(i), rspServerAddress="dp.test")
        ds.es12("registerEvent", "8.9 4.8", **event, rspServerAddress="dp.test")

    def test_the_command_line(self):
        self.assertIn("--event EID=ADDRESS,ID", lab("smds", "--help")[0])
        lab("smds", "--port", "65536", status=2)
        lab("smds", "argument", status=2)
        for wrong in ("E1", f"{EID}=E1", f"{EID},dp.test=E1", f"{EID}=dp.test,", f"{EID}=,E1",
                      f"{EID[:-1]}=dp.test,E1"):
            self.assertIn("--event", lab("smds", "--port", "0", "--event", wrong, status=1)[1])
        twice = ("--event", f"{EID}=dp.test,E1") * 2
        self.assertIn("in use", lab("smds", "--port", "0", *twice, status=1)[1])
        self.assertIn("SM_DSauth", lab("smds", "--port", "0", "--pki", self.without_smds(),
                                       status=1)[1])

    def without_smds(self):
        """The test PKI, as it is for someone who has no SM-DS."""
        pki = os.path.join(self.folder, "pki")
        shutil.copytree(os.path.dirname(CI), pki, ignore=shutil.ignore_patterns("DSauth"))
        return pki

    def test_refusals_of_the_smds(self):
        ds = self.smds((EID, "dp.test", "E1"))
        card = Card(self.card)
        self.addCleanup(card.close)
        challenge = first(take(card.es10(tlv("BF2E")))[1], "80")
        info1 = card.es10(tlv("BF20"))
        start = {"euiccInfo1": b64(info1), "euiccChallenge": b64(challenge),
                 "smdsAddress": ds.address}
        es11 = "/gsma/rsp2/es11/"
        for change, status in (
                ({"smdsAddress": "other.test"}, "8.9.1 3.8"),
                ({"euiccChallenge": b64(b"short")}, "1.6 2.1"), ({"euiccInfo1": "!"}, "1.6 2.1"),
                ({"euiccInfo1": b64(self.with_svn(info1, 1))}, "8.9.3 3.1"),
                ({"euiccInfo1": b64(self.without_ci(info1))}, "8.9.2 3.1")):
            self.assertEqual(ds.call("initiateAuthentication", {**start, **change}, es11)[1],
                             status, change)
        del start["smdsAddress"]
        self.assertEqual(ds.call("initiateAuthentication", start)[1], "1.6 2.2")
        self.assertEqual(ds.raw("/gsma/rsp2/es9plus/getBoundProfilePackage", "{}")[0], 404)

        def told(matching_id, change=lambda octets: octets):
            request = card.authenticate(card.initiate(ds), matching_id)
            name = "authenticateServerResponse"
            request[name] = b64(change(base64.b64decode(request[name])))
            answer, status = ds.call("authenticateClient", request, es11)
            again = ds.call("authenticateClient", request)[1]
            return [e["eventId"] for e in answer.get("eventEntries", [])], status, again

        unknown = "8.10.1 3.9"
        self.assertEqual(told("E1"), (["E1"], "", unknown))
        self.assertEqual(told("E2"), ([], "8.9.5 3.9", unknown))
        self.assertEqual(told("E1", lambda o: o.replace(b"E1", b"E2")), ([], "8.1 6.1", unknown))
        self.assertEqual(told("E1", lambda o: o[:-1] + bytes([o[-1] ^ 1])),
                         ([], "8.1.2 6.1", unknown))
        self.assertEqual(told("E1", lambda o: b"\0")[1], "1.6 2.1")

    @staticmethod
    def with_svn(info1, major):
        at = info1.index(bytes.fromhex("8203")) + 2
        return info1[:at] + bytes([major]) + info1[at + 1:]

    @staticmethod
    def without_ci(info1):
        return tlv("BF20", *(tlv(tag, b"" if tag in ("A9", "AA") else value)
                             for tag, value, _ in children(take(info1)[1])))


def events(*entries):
    """A change of authenticateClient: these entries, whatever the server said."""
    def change(answer):
        answer["header"]["functionExecutionStatus"] = {"status": "Executed-Success"}
        answer["eventEntries"] = list(entries)
    return change


def flip(name):
    def change(answer):
        octets = bytearray(base64.b64decode(answer[name]))
        octets[-1] ^= 1
        answer[name] = b64(bytes(octets))
    return change


def without_events(answer):
    del answer["eventEntries"]


ENTRY = {"eventId": "E1", "rspServerAddress": "dp.test"}
MALFORMED = (events({"eventId": "E1"}), events({**ENTRY, "eventId": ""}),
             events(ENTRY, {**ENTRY, "eventId": 1}), events("E1"),
             events({**ENTRY, "rspServerAddress": "x" * 256}))


class Impostors(SmdsTest):
    """Servers that are no SM-DS, or say what none says, and the LPA."""

    def proxied(self, server, proxy, **change):
        """A server that is known under the address of the proxy."""
        proxy.dp = self.started(server("--host", proxy.address))
        proxy.change = change
        return proxy

    def refused(self, why, server, **change):
        proxy = Proxy(self.folder)
        self.addCleanup(proxy.stop)
        self.proxied(server, proxy, **change)
        said = self.fails(why, "--ca", proxy.ca, "--download", "discover", proxy.address)
        self.assertNotIn("event ", said)
        return proxy.dp

    @staticmethod
    def server(*options):
        return SmDs((EID, "dp.test", "E1"), options=options)

    def test_what_the_server_signed_is_checked_by_the_eUICC(self):
        self.refused("AuthenticateServer: invalidSignature(2)", self.server,
                     initiateAuthentication=flip("serverSignature1"))
        self.refused("AuthenticateServer: invalidCertificate(1)", self.server,
                     initiateAuthentication=flip("serverCertificate"))

    def test_an_SM_DP_plus_tells_no_events(self):
        self.refused("serverCertificate: it is not CERT.DSauth",
                     lambda *options: SmDp(self.profiles, *options),
                     authenticateClient=events(ENTRY))
        self.refused("authenticateClient: refused by the server: 8.2.6 Matching ID, 3.8 Refused: "
                     "no profile for this matching id",
                     lambda *options: SmDp(self.profiles, *options))

    def test_entries_that_are_malformed_or_too_many(self):
        for change in MALFORMED:
            self.refused("authenticateClient: eventEntries is malformed", self.server,
                         authenticateClient=change)
        self.refused("authenticateClient: the answer has no eventEntries", self.server,
                     authenticateClient=without_events)
        self.refused(f"authenticateClient: more than {EVENTS_MAX} events", self.server,
                     authenticateClient=events(*[ENTRY] * (EVENTS_MAX + 1)))

    def test_an_activation_code_names_no_SM_DS(self):
        ds = self.smds((EID, "dp.test", "E1"))
        self.fails("the server is an SM-DS", "download", f"LPA:1${ds.address}$E1")


class AtAnEimsOrder(SmdsTest):
    """The trigger of an eIM (SGP.32 3.2.3), done by the IPAd; IPAe does the same in the card."""

    def setUp(self):
        super().setUp()
        self.dp = self.smdp()
        self.eim = Eim(self.folder, "eim1", "--indirect", "no")
        self.eim.serve()
        self.addCleanup(self.eim.stop)
        self.number = 0
        self.make_card()

    def make_card(self, *settings):
        self.number += 1
        self.card = new_card(self.folder, *settings, "--eim", self.eim.initial,
                             name=f"card{self.number}")
        if self.number == 1:
            self.eim.do("device", EID)

    def poll(self, fails=False):
        return "".join(self.ipa("poll", status=int(fails)))

    def order(self, *trigger, fails=False):
        """What the eIM heard of it, and what the IPA said."""
        work = self.eim.queue("download", *trigger)
        said = self.poll(fails)
        (result,) = self.eim.results(work, status=int(fails))
        return result, said

    def assert_error(self, result):
        self.assertEqual(result["error"]["reason"], "undefinedError")

    def test_the_smds_of_the_trigger(self):
        ds = self.smds((EID, self.dp.address, "operational"), (EID, self.dp.address, "bootstrap"))
        result, _ = self.order("smds", ds.address)
        self.assertEqual((result["iccid"], result["success"]), (ICCIDS["bootstrap"], True))
        self.assertEqual(self.installed(), sorted(ICCIDS.values()))
        self.assertEqual(ds.asked(), [["operational", "bootstrap"]])
        notified = [line["verified"] for line in self.dp.log()
                    if line["function"] == "handleNotification"]
        self.assertEqual(notified, [True, True])
        self.assertEqual(self.ipa("notifications", "list")[0], "")

    def test_the_root_smds(self):
        ds = self.smds((EID, self.dp.address, "operational"))
        self.make_card("--set", f"root_ds={ds.address}", *self.settings)
        self.assertTrue(self.order("smds")[0]["success"])
        self.assertEqual(self.installed(), [ICCIDS["operational"]])

    def test_the_first_event_that_fails_is_told(self):
        ds = self.smds((EID, self.dp.address, "missing"), (EID, self.dp.address, "operational"))
        self.assert_error(self.order("smds", ds.address, fails=True)[0])
        self.assertEqual(self.installed(), [ICCIDS["operational"]])

    def test_no_event(self):
        ds = self.smds((OTHER_EID, self.dp.address, "operational"))
        self.assert_error(self.order("smds", ds.address, fails=True)[0])
        self.assertEqual(ds.asked(), [[]])

    def test_an_event_leads_to_another_smds(self):
        other = self.smds((EID, self.dp.address, "operational"))
        ds = self.smds((EID, other.address, "operational"))
        self.assertTrue(self.order("smds", ds.address)[0]["success"])
        self.assertEqual((ds.asked(), other.asked()), ([["operational"]], [["operational"]]))

    def test_an_event_that_leads_to_itself_ends(self):
        ds = self.smds()
        ds.es12("registerEvent", eid=EID, eventId="E1", rspServerAddress=ds.address)
        self.assert_error(self.order("smds", ds.address, fails=True)[0])
        self.assertEqual(len(ds.asked()), EVENTS_MAX + 1)

    def test_an_SM_DP_plus_is_no_SM_DS(self):
        self.assert_error(self.order("smds", self.dp.address, fails=True)[0])
        self.assertEqual(self.installed(), [])
        self.assertNotIn("authenticateClient", [line["function"] for line in self.dp.log()
                                                if line["status"] == "Executed-Success"])

    settings = ()


class InTheCard(AtAnEimsOrder):
    """The IPAe."""

    settings = ("--set", "ipae=on", "--set", "ipae_delay=0")

    def make_card(self, *settings):
        super().make_card(*self.settings, *settings)

    def poll(self, fails=False):
        done = subprocess.run([LAB, "terminal", "--card", self.card, "--attach", "0", "--until",
                               "closed", "--for", str(int(DEADLINE)), "--trace", "-"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=2 * DEADLINE, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.said = done.stdout
        return done.stdout

    def proxied(self, **change):
        """An SM-DS whose answers are changed."""
        proxy = SmdsProxy(self.folder)
        self.addCleanup(proxy.stop)
        proxy.dp = self.smds((EID, self.dp.address, "operational"),
                             options=("--host", proxy.address))
        proxy.change = change
        return proxy

    def refused(self, asked, proxy):
        """Of what is asked of the server, and that nothing comes of it."""
        self.assert_error(self.order("smds", proxy.address, fails=True)[0])
        self.assertEqual([line["function"] for line in proxy.dp.log()], asked)
        self.assertEqual((self.dp.log(), self.installed()), ([], []))

    START, AUTHENTICATE = "initiateAuthentication", "authenticateClient"

    def test_a_proxy_that_changes_nothing(self):
        self.assertTrue(self.order("smds", self.proxied().address)[0]["success"])

    def test_what_the_server_signed_is_checked(self):
        for name in ("serverSignature1", "serverCertificate"):
            self.refused([self.START], self.proxied(initiateAuthentication=flip(name)))

    def test_entries_that_are_malformed_or_too_many(self):
        here = {**ENTRY, "rspServerAddress": self.dp.address}
        for change in (without_events, events(*[here] * (EVENTS_MAX + 1)),
                       events({**here, "eventId": "operational"}, {**here, "eventId": 1}),
                       *MALFORMED):
            self.refused([self.START, self.AUTHENTICATE], self.proxied(authenticateClient=change))

    def test_addresses_that_are_none(self):
        for address in ("dp test", "dp.test:99999", '"', "/"):
            change = events({**ENTRY, "rspServerAddress": address})
            self.refused([self.START, self.AUTHENTICATE], self.proxied(authenticateClient=change))

    def test_a_CERT_DPauth_tells_no_events(self):
        proxy = SmdsProxy(self.folder)
        self.addCleanup(proxy.stop)
        proxy.dp = self.started(SmDp(self.profiles, "--host", proxy.address))
        here = {"eventId": "operational", "rspServerAddress": self.dp.address}
        proxy.change = {"authenticateClient": events(here)}
        self.refused([self.START, self.AUTHENTICATE], proxy)


if __name__ == "__main__":
    unittest.main()
