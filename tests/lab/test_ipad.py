#!/usr/bin/python3
"""The IPAd, `softeuicc-lab ipa`, against an eIM that says what a test wants it to say, and against
`softeuicc-lab eim`.  No PC/SC: the card is a file.

SOFTEUICC and SOFTEUICC_LAB are the programs, SOFTEUICC_PROFILE is operational.der."""

import base64
import contextlib
import http.server
import json
import os
import shutil
import sqlite3
import ssl
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from programs import DEADLINE, EID, Process, Scratch, new_card  # noqa: E402
from test_lab import LAB, PROFILE, SmDp, children, first, take, tlv  # noqa: E402

PROFILES = os.path.dirname(PROFILE)
ICCID, OTHER_ICCID = "8900010000000000019", "8900010000000000118"
NOTHING = bytes.fromhex("BF4F03020101")
EMPTY = bytes.fromhex("BF50023000")
FQDN = "eim.test"
TID = tlv("82", "11223344")


def iccid_octets(digits):
    digits += "F" * (20 - len(digits))
    return bytes.fromhex("".join(digits[i + 1] + digits[i] for i in range(0, 20, 2)))


class Key:
    """A key pair in a file, and what openssl makes of it."""

    def __init__(self, path):
        self.path = path
        subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out",
                        path], check=True, capture_output=True)

    def spki(self):
        der = subprocess.run(["openssl", "ec", "-in", self.path, "-pubout", "-outform", "DER"],
                             check=True, capture_output=True).stdout
        return take(der)[1]  # an implicit tag takes the place of 30

    def sign(self, octets):
        der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.path], input=octets,
                             check=True, capture_output=True).stdout
        return b"".join(v.lstrip(b"\0").rjust(32, b"\0") for _, v, _ in children(take(der)[1]))

    def certificate(self):
        path = self.path + ".pem"
        subprocess.run(["openssl", "req", "-x509", "-key", self.path, "-subj", "/CN=eim",
                        "-addext", "subjectAltName=DNS:" + FQDN, "-days", "2", "-out", path],
                       check=True, capture_output=True)
        return path


class Eim:
    """Answers with what it was told, one after the other, and keeps what it was asked."""

    def __init__(self, folder):
        self.key = Key(os.path.join(folder, "eim.key"))
        self.tls = Key(os.path.join(folder, "tls.key"))
        self.packages, self.seen, self.answers = [], [], {}
        self.counter = 0
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.tls.certificate(), self.tls.path)
        eim = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                eim.answer(self)

            def log_message(self, *arguments):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *arguments):
                pass  # an IPA that does not trust us

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def answer(self, request):
        body = request.rfile.read(int(request.headers["Content-Length"]))
        self.seen.append((request.path, dict(request.headers), body))
        status, octets = self.reply(request.path, body)
        request.send_response(status)
        request.send_header("Content-Length", str(len(octets)))
        request.end_headers()
        request.wfile.write(octets)

    def reply(self, path, body):
        tag = path.rsplit("/", 1)[1] if "esipa" in path else take(body)[0]
        if tag in self.answers:  # a list of what comes next; the last one stays
            queue = self.answers[tag]
            return queue.pop(0) if len(queue) > 1 else queue[0]
        if tag == "BF4F":
            return 200, tlv("BF4F", self.packages.pop(0)) if self.packages else NOTHING
        if tag == "BF50":
            return 200, EMPTY
        return 200, b""

    def bodies(self, tag):
        return [body for _, _, body in self.seen if take(body)[0] == tag]

    def record(self, trust=None, **changes):
        """EimConfigurationData."""
        fields = {"80": b"eim1", "81": FQDN.encode(), "82": "02", "83": "00", "84": "FF",
                  "A5": tlv("A0", self.key.spki()), "A6": trust or tlv("A0", self.tls.spki()),
                  "87": "0780"}
        fields.update(changes)
        return tlv("30", *(tlv(tag, value) for tag, value in fields.items() if value is not None))

    def package(self, operations, token=1, counter=None):
        """A signed EuiccPackageRequest."""
        self.counter += 1
        signed = tlv("30", tlv("80", b"eim1"), tlv("5A", EID),
                     tlv("81", bytes([counter or self.counter])), TID, operations)
        return tlv("BF51", signed, tlv("5F37", self.key.sign(signed + tlv("84", bytes([token])))))

    def stop(self):
        self.server.shutdown()
        self.thread.join(DEADLINE)
        self.server.server_close()


LIST = tlv("A0", tlv("BF2D"))


class IpadTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.remove)
        self.card = new_card(self.scratch.path)

    def ipa(self, *arguments, status=0):
        done = subprocess.run([LAB, "ipa", "--card", self.card, *arguments], capture_output=True,
                              text=True, timeout=2 * DEADLINE, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.said = done.stderr
        return done.stdout

    def file(self, name, octets):
        path = os.path.join(self.scratch.path, name)
        with open(path, "wb") as f:
            f.write(octets)
        return path


class ScriptedEim(IpadTest):
    def setUp(self):
        super().setUp()
        self.eim = Eim(self.scratch.path)
        self.addCleanup(self.eim.stop)

    def associate(self, **changes):
        self.ipa("add-initial-eim", self.file("eim.der", self.eim.record(**changes)))

    def poll(self, *arguments, status=0):
        return self.ipa("poll", "--url", self.eim.address, *arguments, status=status)

    # --- association

    def test_the_first_eim_is_added_once(self):
        path = self.file("eim.der", self.eim.record())
        self.assertEqual(self.ipa("eims"), "")
        self.ipa("poll", status=1)
        self.assertIn("the eUICC has no eIM", self.said)
        self.assertEqual(self.ipa("add-initial-eim", path),
                         "AddInitialEim: ok, association token 1\n")
        self.assertEqual(self.ipa("eims"),
                         f"eim1 {FQDN} token 1 retrieveHttps, TLS by key\n")
        self.assertEqual(json.loads(self.ipa("--json", "eims"))[0]["associationToken"], 1)
        hexed = self.file("eim.hex", tlv("BF57", tlv("A0", self.eim.record())).hex(" ").encode())
        self.ipa("add-initial-eim", hexed, status=1)
        self.assertEqual(self.said, "softeuicc-lab ipa: AddInitialEim: "
                                    "associatedEimAlreadyExists(2)\n")
        self.ipa("add-initial-eim", self.file("x", b"BF5"), status=1)
        self.assertIn("neither EimConfigurationData nor", self.said)
        self.assertEqual(self.ipa("reset-iot", "eim"),
                         "eUICCMemoryReset: ok\neUICCMemoryReset: resetEimResult: ok\n")
        self.assertEqual(self.ipa("--json", "add-initial-eim", hexed),
                         '[{"associationToken":2}]\n')

    def test_functions_say_their_results_by_name(self):
        self.assertEqual(self.ipa("configure-immediate-enable", "--oid", "2.999.1", "--address",
                                  "dp.test"), "ConfigureImmediateProfileEnabling: ok\n")
        self.associate()
        for command, message in (
                (["configure-immediate-enable", "--off"],
                 "ConfigureImmediateProfileEnabling: associatedEimAlreadyExists(2)"),
                (["rollback"], "ProfileRollback: rollbackNotAllowed(1)"),
                (["immediate-enable"], "ImmediateEnable: noSessionContext(4)"),
                (["fallback", "--refresh"], "ExecuteFallbackMechanism: fallbackNotAvailable(6)"),
                (["emergency", "on"], "EnableEmergencyProfile: ecallNotAvailable(8)"),
                (["connectivity"], "GetConnectivityParameters: parametersNotAvailable(1)"),
                (["reset-iot", "everything"], "everything: not a list of what can be reset"),
                (["poll", "--eim-id", "eim9"], "the eUICC has no eIM eim9")):
            self.ipa(*command, status=1)
            self.assertEqual(self.said, f"softeuicc-lab ipa: {message}\n")
        self.assertEqual(self.ipa("default-dp-iot", "dp.test"), "SetDefaultDpAddress: ok\n")
        self.assertIn("defaultDpAddress dp.test\n", self.ipa("info"))
        self.assertEqual(self.ipa("certs").count("BEGIN CERTIFICATE"), 2)

    def test_wrong_options_are_wrong_usage(self):
        for options in (["--binding", "xml"], ["--version", "2"], ["--features", "none"],
                        ["--interval", "x"], ["--rplmn", "26"], ["--rollback-after", "0"],
                        ["--state-change", "boredom"], ["--count", "0"]):
            self.ipa("poll", *options, status=2)
            self.assertIn(options[0], self.said)

    # --- the connection

    def test_a_poll_without_work_is_one_question(self):
        self.associate()
        self.assertEqual(self.poll(), "eim1: getEimPackage: noEimPackageAvailable(1)\n")
        (path, headers, body), = self.eim.seen
        self.assertEqual(path, "/gsma/rsp2/asn1")
        self.assertEqual(headers["Host"], FQDN)
        self.assertEqual(headers["Content-Type"], "application/x-gsma-rsp-asn1")
        self.assertRegex(headers["X-Admin-Protocol"], r"^gsma/rsp/v\d+\.\d+\.\d+$")
        self.assertEqual(headers["User-Agent"], "gsma-rsp-ipad")
        self.assertEqual(body.hex().upper(), "BF4F125A10" + EID)
        self.poll("--state-change", "fallback", "--rplmn", "26201")
        self.assertEqual(self.eim.seen[1][2].hex().upper(),
                         f"BF4F1C5A10{EID}8000810101820362F210")
        self.poll("--version", "1.0.1", "--state-change", "fallback", "--rplmn", "26201")
        self.assertEqual(self.eim.seen[2][2].hex().upper(), f"BF4F195A10{EID}8000810362F210")

    def test_an_eim_of_version_1_0_need_not_acknowledge(self):
        self.card = new_card(self.scratch.path, "--set", "sgp32_version=1.0.1", name="old")
        self.associate()
        self.eim.answers["BF50"] = [(200, bytes.fromhex("BF5000"))]
        self.eim.packages = [self.eim.package(LIST), self.eim.package(LIST)]
        self.poll("--version", "1.0.1")
        self.assertEqual(len(self.eim.bodies("BF50")), 2)
        self.assertEqual({headers["X-Admin-Protocol"] for _, headers, _ in self.eim.seen},
                         {"gsma/rsp/v2.1.0"})
        self.assertEqual(self.ipa("package-results"), "")
        self.eim.answers["BF50"] = [(200, bytes.fromhex("BF5003BF5300"))]
        self.eim.packages = [self.eim.package(LIST)]
        self.poll("--version", "1.0.1")
        self.assertNotEqual(self.ipa("package-results"), "")  # it takes none

    def test_only_the_eim_s_key_is_trusted(self):
        other = Key(os.path.join(self.scratch.path, "other.key"))
        self.associate(trust=tlv("A0", other.spki()))
        self.poll(status=1)
        self.assertIn("public key", self.said)
        self.assertEqual(self.eim.seen, [])

    def test_only_the_eim_s_name_is_trusted(self):
        self.associate(**{"81": b"other.test"})
        self.poll(status=1)
        self.assertIn("other.test", self.said)
        self.assertEqual(self.eim.seen, [])

    def test_the_eim_s_certificate_is_trusted(self):
        path = self.eim.tls.path + ".pem"
        der = subprocess.run(["openssl", "x509", "-in", path, "-outform", "DER"], check=True,
                             capture_output=True).stdout
        self.associate(trust=tlv("A1", take(der)[1]))
        self.poll()
        self.assertEqual(len(self.eim.seen), 1)

    def test_without_a_key_the_authorities_are_asked(self):
        self.associate(**{"A6": None})
        self.poll(status=1)
        self.assertEqual(self.eim.seen, [])
        self.poll("--ca", self.eim.tls.path + ".pem")
        self.assertEqual(len(self.eim.seen), 1)

    def test_an_eim_out_of_reach_is_a_failure(self):
        self.associate()
        self.ipa("poll", "--url", "127.0.0.1:1", status=1)
        self.assertIn("connect", self.said)
        self.ipa("poll", "--url", "a/b", status=1)
        self.assertIn("not the address of an eIM", self.said)

    def test_it_polls_again_and_again(self):
        self.associate()
        self.poll("--interval", "0", "--count", "3")
        self.assertEqual(len(self.eim.seen), 3)

    def test_once_is_one_package(self):
        self.associate()
        self.eim.packages = [self.eim.package(LIST), self.eim.package(LIST)]
        self.poll("--once")
        self.assertEqual(len(self.eim.packages), 1)

    # --- packages

    def provided(self):
        """What ProvideEimPackageResult carried behind the EID."""
        found = []
        for body in self.eim.bodies("BF50"):
            (tag, value, _), result = children(take(body)[1])
            self.assertEqual((tag, value.hex()), ("5A", EID))
            found.append(result)
        return found

    def test_a_result_stays_until_it_is_acknowledged(self):
        self.associate()
        self.eim.packages = [self.eim.package(LIST)]
        self.assertIn("loadEuiccPackage: listProfileInfo ok(0)\n", self.poll())
        self.assertEqual(self.ipa("package-results"), "1 eim1 1 listProfileInfo ok(0)\n")
        self.eim.answers["BF50"] = [(200, bytes.fromhex("BF5006BF5303800101"))]
        said = self.poll()
        self.assertIn("stored result: 1: listProfileInfo ok(0)\n", said)
        self.assertIn("acknowledged: 1 removed from the card\n", said)
        self.assertEqual(self.ipa("package-results"), "")
        (_, _, once), (_, _, again) = self.provided()
        self.assertEqual(once, again)

    def test_a_result_that_cannot_be_delivered_stays(self):
        self.associate()
        self.eim.packages = [self.eim.package(LIST)]
        self.eim.answers["BF50"] = [(500, b"")]
        self.poll(status=1)
        self.assertIn("HTTP status 500", self.said)
        self.assertEqual(len(self.provided()), 3)
        self.assertEqual(self.ipa("package-results"), "1 eim1 1 listProfileInfo ok(0)\n")
        self.assertEqual(self.eim.packages, [])

    def test_errors_are_delivered_as_well(self):
        self.associate()
        self.eim.packages = [self.eim.package(LIST, token=2),
                             self.eim.package(LIST, counter=0x7F), self.eim.package(LIST)]
        said = self.poll()
        self.assertIn("refused, unsigned", said)
        self.assertIn("refused: replayError(4)", said)
        self.assertEqual([first(value, "A2") is not None for _, value, _ in self.provided()],
                         [True, False, False])

    def test_acknowledgements_of_nothing_do_no_harm(self):
        self.associate()
        self.eim.packages = [bytes.fromhex("BF5306800107800108")]
        self.assertIn("NotificationSent: nothingToDelete(1)", self.poll())

    def refusals(self):
        return [value.hex() for tag, value, _ in self.provided() if tag == "A0"]

    def test_what_it_does_not_understand_it_refuses(self):
        self.associate()
        self.eim.packages = [bytes.fromhex("BF7701AA"), bytes.fromhex("BF51023000"),
                             bytes.fromhex("BF5203840101"), bytes.fromhex("BF5404A0028500"),
                             bytes.fromhex("BF53028000")]
        self.poll()
        self.assertEqual(self.refusals(), ["020102"] + 4 * ["020101"])

    def test_a_card_that_fails_is_an_undefined_error(self):
        """Only 6A80 says that the package is at fault."""
        self.associate()
        with contextlib.closing(sqlite3.connect(self.card)) as db, db:
            db.execute("INSERT OR REPLACE INTO object VALUES ('isdr/sequence', x'FF')")
        broken = tlv("BF51", b"\x30\x00", tlv("5F37", bytes(64)))  # no eimId: 6A80
        self.eim.packages = [self.eim.package(LIST), broken]
        said = self.poll(status=1)
        self.assertIn("loadEuiccPackage: STORE DATA: status word 6581\n", said)
        self.assertIn("loadEuiccPackage: STORE DATA: status word 6A80\n", said)
        self.assertEqual(self.refusals(), ["80041122334402017f", "020101"])

    def test_an_eim_that_repeats_nonsense_is_left(self):
        self.associate()
        self.eim.packages = [bytes.fromhex("BF7701AA")] * 100
        self.poll(status=1)
        self.assertIn("keeps sending", self.said)
        self.assertGreater(len(self.eim.packages), 80)

    def test_an_answer_that_is_none_ends_the_conversation(self):
        self.associate()
        for nonsense in (b"", b"<html>", bytes.fromhex("BF4F00"), bytes.fromhex("BF4F84FFFFFFFF"),
                         b"\x00" * 100000):
            self.eim.answers["BF4F"] = [(200, nonsense)]
            self.poll(status=1)
            self.assertIn("GetEimPackage: the answer of the eIM is malformed", self.said)
        self.eim.answers["BF4F"] = [(200, bytes.fromhex("BF4F03020102"))]
        self.poll(status=1)
        self.assertIn("GetEimPackage: eidNotFound(2)", self.said)

    # --- data

    def data(self, request):
        self.eim.seen.clear()
        self.eim.packages = [tlv("BF52", *request)]
        self.poll()
        (tag, value, _), = self.provided()
        self.assertEqual(tag, "BF52")
        (arm, contents, _), = children(value)
        return arm, contents

    def test_it_tells_what_it_is_asked(self):
        self.associate()
        everything = tlv("5C", "81BF20BF228384A5A6A8A9A0A2")
        arm, members = self.data([everything, tlv("83", "0102")])
        self.assertEqual(arm, "A0")
        self.assertEqual([tag for tag, _, _ in children(members)],
                         ["A0", "A2", "BF20", "BF22", "83", "84", "A5", "A6", "87", "A8", "A9"])
        self.assertEqual(first(members, "84").hex(), "01")
        self.assertEqual(first(members, "87").hex(), "0102")
        self.assertEqual(first(members, "A8").hex(), "800206c081020780")
        self.assertEqual(self.data([tlv("5C", "84")]), ("A0", bytes.fromhex("840101")))
        self.assertEqual(self.data([tlv("5C", "5A"), tlv("83", "0102")]),
                         ("A1", bytes.fromhex("80020102020101")))
        self.assertEqual(self.data([tlv("5C", "A6"), tlv("04", "1234")]),
                         ("A1", bytes.fromhex("020105")))
        whole = children(first(members, "BF20"))[2][1]
        ci = children(whole)[0][1]
        arm, chosen = self.data([tlv("5C", "A6"), tlv("04", ci[:4])])
        self.assertEqual(arm, "A0")
        self.assertEqual(first(chosen, "A6"), first(members, "A6"))

    # --- downloads

    def test_a_trigger_that_leads_nowhere_is_answered(self):
        self.associate()
        self.eim.packages = [tlv("BF54", tlv("A0", tlv("81")), TID)]
        self.poll(status=1)
        self.assertIn("the eUICC has no default SM-DP+ address", self.said)
        (tag, value, _), = self.provided()
        self.assertEqual((tag, value.hex()), ("BF54", "820411223344300380017f"))

    def test_an_eim_that_refuses_a_download_hears_what_it_said(self):
        self.associate(**{"89": ""})
        code = tlv("80", b"LPA:1$dp.test$X")
        self.eim.packages = [tlv("BF54", tlv("A0", code), TID)]
        self.eim.answers["BF39"] = [(200, bytes.fromhex("BF3903810132"))]
        self.poll(status=1)
        self.assertIn("InitiateAuthentication: smdpAddressMismatch(50)", self.said)
        asked = take(self.eim.bodies("BF39")[0])[1]
        self.assertEqual([tag for tag, _, _ in children(asked)], ["81", "83", "BF20", "82"])
        self.assertEqual(first(asked, "83"), b"dp.test")
        self.assertEqual(first(asked, "82").hex(), "11223344")
        (_, value, _), = self.provided()
        self.assertEqual(value.hex(), "8204112233443" + "00b80017f0406bf3903810132")

    def test_damaged_answers_of_a_download_are_refused(self):
        self.associate(**{"89": ""})
        for answer in ("", "BF3900", "BF3902A000", "BF3B02A000", "BF3908A00630005F370030"):
            self.eim.packages = [tlv("BF54", tlv("A0", tlv("80", b"1$dp.test$X")))]
            self.eim.answers["BF39"] = [(200, bytes.fromhex(answer))]
            self.poll(status=1)
            self.assertIn("InitiateAuthentication:", self.said)

    def test_without_the_feature_a_download_is_direct(self):
        self.associate(**{"89": ""})
        self.eim.packages = [tlv("BF54", tlv("A0", tlv("80", b"1$127.0.0.1:1$X")))]
        self.poll("--features", "direct", status=1)
        self.assertIn("https://127.0.0.1:1/gsma/rsp2/es9plus/initiateAuthentication", self.said)
        self.assertEqual(self.eim.bodies("BF39"), [])

    # --- JSON

    def test_the_json_binding(self):
        self.associate()
        good = {"header": {"functionExecutionStatus": {"status": "Executed-Success"}}}
        package = base64.b64encode(self.eim.package(LIST)).decode()
        acks = base64.b64encode(bytes.fromhex("BF5303800101")).decode()
        self.eim.answers = {
            "getEimPackage": [
                (200, json.dumps({**good, "euiccPackageRequest": package}).encode()),
                (200, json.dumps({**good, "eimPackageError": 1}).encode())],
            "provideEimPackageResult": [
                (200, json.dumps({**good, "eimAcknowledgements": acks}).encode())]}
        self.assertIn("acknowledged: 1 removed", self.poll("--binding", "json"))
        paths = [path for path, _, _ in self.eim.seen]
        self.assertEqual(paths, ["/gsma/rsp2/esipa/" + name for name in (
            "getEimPackage", "provideEimPackageResult", "getEimPackage")])
        self.assertTrue(self.eim.seen[0][1]["Content-Type"].startswith("application/json"))
        self.assertEqual(json.loads(self.eim.seen[0][2]), {"eidValue": EID})
        result = json.loads(self.eim.seen[1][2])
        self.assertEqual(take(base64.b64decode(result["eimPackageResult"]))[0], "BF51")
        self.eim.answers["getEimPackage"] = [(200, b"[]")]
        self.poll("--binding", "json", status=1)
        self.assertIn("not JSON", self.said)


class RealEim(IpadTest):
    """Everything of ours: eIM, SM-DP+, IPA and card."""

    def setUp(self):
        super().setUp()
        profiles = os.path.join(self.scratch.path, "profiles")
        os.mkdir(profiles)
        for name in ("operational", "tuak"):
            shutil.copyfile(os.path.join(PROFILES, name + ".der"),
                            os.path.join(profiles, name + ".der"))
        self.dp = SmDp(profiles)
        self.addCleanup(self.dp.stop)
        self.addCleanup(self.dp.connection.close)
        self.db = os.path.join(self.scratch.path, "eim.db")
        initial = os.path.join(self.scratch.path, "initial.der")
        self.eim("new", "--fqdn", "127.0.0.1")
        self.eim("config", "--out", initial)
        self.assertIn("token 1", self.ipa("add-initial-eim", initial))
        self.eim("device", EID, "--token", "1")
        self.server = Process([LAB, "eim", "serve", self.db, "--port", "0"])
        self.addCleanup(self.server.stop)
        self.server.says("listening at ")
        self.address = self.server.output.split("listening at ")[1].split()[0]

    def eim(self, subcommand, *arguments):
        done = subprocess.run([LAB, "eim", subcommand, self.db, *arguments], capture_output=True,
                              text=True, timeout=DEADLINE, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def queue(self, *operation):
        return self.eim("queue", EID, *operation).strip()

    def poll(self, *arguments, status=0):
        return self.ipa("poll", "--url", self.address, *arguments, status=status)

    def states(self):
        return {line.split()[0]: line.split()[1] for line in self.ipa("list").splitlines()}

    def download(self, name, *arguments):
        work = self.queue("download", self.dp.code(name))
        self.poll(*arguments)
        self.assertIn('"success":true', self.eim("results", EID, "--number", work))

    def test_downloads_through_the_eim(self):
        self.download("operational")
        self.assertEqual(self.states(), {ICCID: "disabled"})
        self.assertEqual(self.ipa("notifications", "list"), "")
        self.queue("data")
        self.download("tuak", "--compact")
        self.assertEqual(self.states(), {ICCID: "disabled", OTHER_ICCID: "disabled"})

    def test_a_download_over_json(self):
        self.download("operational", "--binding", "json")
        self.assertEqual(self.states(), {ICCID: "disabled"})

    def test_a_direct_download(self):
        self.download("operational", "--features", "direct")
        self.assertEqual([line["operation"] for line in self.dp.log()
                          if line["function"] == "handleNotification"], ["install"])

    def test_packages_and_their_notifications(self):
        self.download("operational")
        self.queue("enable", ICCID, "+", "list")
        self.assertIn("enable ok(0), listProfileInfo profileChangeOngoing(11)", self.poll())
        self.assertEqual(self.states(), {ICCID: "enabled"})
        self.assertEqual(self.ipa("package-results") + self.ipa("notifications", "list"), "")
        self.assertIn('"verified":true', self.eim("results", EID))

    def test_what_was_not_delivered_is_delivered_later(self):
        self.download("operational")
        self.queue("enable", ICCID)
        self.poll("--no-provide", status=1)
        self.assertEqual(self.states(), {ICCID: "enabled"})
        self.assertIn("enable ok(0)", self.ipa("package-results"))
        self.assertIn("stored result", self.poll())
        self.assertEqual(self.ipa("package-results") + self.ipa("notifications", "list"), "")

    def test_it_goes_back_when_the_eim_is_out_of_reach(self):
        self.download("operational")
        self.download("tuak")
        self.ipa("enable", ICCID)
        self.queue("enable", OTHER_ICCID, "rollback")
        self.poll("--no-provide", "--rollback-after", "2", status=1)
        self.assertEqual(self.states(), {ICCID: "enabled", OTHER_ICCID: "disabled"})
        said = self.poll()
        self.assertIn("enable ok(0), rollback ok(0)", said)
        self.assertEqual(self.ipa("package-results") + self.ipa("notifications", "list"), "")

    def test_immediate_enabling(self):
        address = self.dp.address
        self.queue("default-dp", address, "+", "immediate-enable", "address", address)
        self.download("operational", "--immediate-enable")
        self.assertEqual(self.states(), {ICCID: "enabled"})
        self.assertIn("immediateEnableProfile", self.server.output)


if __name__ == "__main__":
    unittest.main()
