#!/usr/bin/python3
"""softeuicc-lab from end to end: a card file, the test SM-DP+ and the device's side, no PC/SC.

SOFTEUICC and SOFTEUICC_LAB are the programs, SOFTEUICC_PROFILE is operational.der."""

import base64
import http.client
import http.server
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from programs import (DEADLINE, EID, SELECT_ISDR, SOFTEUICC, Process, Scratch,  # noqa: E402
                      new_card)

LAB = os.environ.get("SOFTEUICC_LAB", "softeuicc-lab")
PROFILE = os.environ.get("SOFTEUICC_PROFILE", "operational.der")

ICCID = "8900010000000000019"
AID = "A0000005591010FFFFFFFF8900001000"
NAMES = '"softeuicc test" "softeuicc operational"'
PROTOCOL = "gsma/rsp/v2.5.0"


class RspServer(Process):
    """softeuicc-lab smdpp or smds on a free port."""

    def __init__(self, subcommand, name, *arguments):
        super().__init__([LAB, subcommand, "--port", "0", *arguments])
        self.says("\n")
        first = self.output.splitlines()[0]
        prefix = f"{name} at https://"
        if not first.startswith(prefix):
            raise AssertionError(f"no ready line: {self.output}")
        self.address = first[len(prefix):].split(",")[0]
        listening = first.split(", listening at ")[1].split(",")[0]
        self.connection = http.client.HTTPSConnection(
            listening, timeout=DEADLINE, context=ssl._create_unverified_context())

    def raw(self, path, body, method="POST", protocol=PROTOCOL):
        headers = {"X-Admin-Protocol": protocol} if protocol else {}
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def call(self, function, body, path="/gsma/rsp2/es9plus/"):
        """The answer's JSON object, and its status as 'subject reason' or ''."""
        if not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        status, answer = self.raw(path + function, body)
        if status == 204:
            return {}, ""
        assert status == 200, status
        answer = json.loads(answer)
        execution = answer["header"]["functionExecutionStatus"]
        if execution["status"] == "Executed-Success":
            return answer, ""
        data = execution["statusCodeData"]
        return answer, f"{data['subjectCode']} {data['reasonCode']}"

    def log(self):
        return [json.loads(line) for line in self.output.splitlines()[1:]]


class SmDp(RspServer):
    def __init__(self, folder, *arguments):
        super().__init__("smdpp", "SM-DP+", "--profiles", folder, *arguments)

    def code(self, matching_id, rest=""):
        return f"LPA:1${self.address}${matching_id}{rest}"


class Proxy:
    """Sits between the device and the SM-DP+ and may change the answers."""

    def __init__(self, folder):
        self.change = {}  # function: what to do to the answer's JSON object
        self.dp = None
        self.ca = os.path.join(folder, "proxy.pem")
        key = os.path.join(folder, "proxy.key")
        self.make_certificate(self.ca, key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca, key)
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                proxy.pass_on(self)

            def log_message(self, *arguments):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def make_certificate(self, path, key):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=proxy", "-addext",
                        "subjectAltName=IP:127.0.0.1", "-out", path, "-keyout", key],
                       check=True, capture_output=True)

    def pass_on(self, request):
        body = request.rfile.read(int(request.headers["Content-Length"]))
        status, answer = self.dp.raw(request.path, body)
        change = self.change.get(request.path.rsplit("/", 1)[1])
        if change:
            answer = json.loads(answer)
            change(answer)
            answer = json.dumps(answer).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)

    def stop(self):
        self.server.shutdown()
        self.thread.join(DEADLINE)
        self.server.server_close()


def tlv(tag, *parts):
    value = b"".join(bytes.fromhex(p) if isinstance(p, str) else p for p in parts)
    if len(value) < 0x80:
        size = bytes([len(value)])
    else:
        n = (len(value).bit_length() + 7) // 8
        size = bytes([0x80 | n]) + len(value).to_bytes(n, "big")
    return bytes.fromhex(tag) + size + value


def take(octets):
    """Tag, contents, the whole TLV, and what follows it."""
    n = 1
    if octets[0] & 0x1F == 0x1F:
        while octets[n] & 0x80:
            n += 1
        n += 1
    tag, size = octets[:n].hex().upper(), octets[n]
    n += 1
    if size & 0x80:
        more = size & 0x7F
        size = int.from_bytes(octets[n:n + more], "big")
        n += more
    return tag, octets[n:n + size], octets[:n + size], octets[n + size:]


def children(octets):
    found = []
    while octets:
        tag, value, whole, octets = take(octets)
        found.append((tag, value, whole))
    return found


def first(octets, tag):
    return next((value for t, value, _ in children(octets) if t == tag), None)


def b64(octets):
    return base64.b64encode(octets).decode()


class Card:
    """A card on a pipe, and the steps of an LPA that wants to look at each message."""

    def __init__(self, path):
        self.process = subprocess.Popen([SOFTEUICC, "apdu", path], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.apdu(bytes.fromhex(SELECT_ISDR))

    def apdu(self, command):
        data = b""
        while True:
            self.process.stdin.write(command.hex() + "\n")
            self.process.stdin.flush()
            answer = bytes.fromhex(self.process.stdout.readline())
            data += answer[:-2]
            if answer[-2] != 0x61:
                break
            command = bytes([0x80, 0xC0, 0, 0, answer[-1]])
        assert answer[-2:] == b"\x90\x00", answer[-2:].hex()
        return data

    def es10(self, request):
        answer = b""
        blocks = [request[i:i + 255] for i in range(0, len(request), 255)]
        for i, block in enumerate(blocks):
            p1 = 0x91 if i == len(blocks) - 1 else 0x11
            answer += self.apdu(bytes([0x80, 0xE2, p1, i, len(block)]) + block)
        return answer

    def initiate(self, dp):
        info1 = self.es10(tlv("BF20"))
        challenge = first(take(self.es10(tlv("BF2E")))[1], "80")
        answer, status = dp.call("initiateAuthentication", {
            "euiccInfo1": b64(info1), "euiccChallenge": b64(challenge),
            "smdpAddress": dp.address})
        assert status == "", status
        return answer

    def authenticate(self, answer, matching_id):
        parts = [base64.b64decode(answer[name]) for name in (
            "serverSigned1", "serverSignature1", "euiccCiPKIdToBeUsed", "serverCertificate")]
        device = tlv("A1", tlv("80", bytes.fromhex("53920611")), tlv("A1"))
        context = tlv("A0", tlv("80", matching_id.encode()), device)
        response = self.es10(tlv("BF38", *parts, context))
        return {"transactionId": answer["transactionId"],
                "authenticateServerResponse": b64(response)}

    def prepare(self, answer):
        parts = [base64.b64decode(answer[name]) for name in (
            "smdpSigned2", "smdpSignature2", "smdpCertificate")]
        response = self.es10(tlv("BF21", *parts))
        return {"transactionId": answer["transactionId"],
                "prepareDownloadResponse": b64(response)}

    def close(self):
        self.process.stdin.close()
        self.process.wait(DEADLINE)
        self.process.stdout.close()


def segments(bpp):
    """A BoundProfilePackage as the LPA cuts it (SGP.22 2.5.5)."""
    _, value, _, rest = take(bpp)
    assert rest == b""
    (_, _, initialise), *sequences = children(value)
    yield bpp[:len(bpp) - len(value)] + initialise
    for tag, contents, whole in sequences:
        if tag in ("A0", "A2"):
            yield whole
        else:
            yield whole[:len(whole) - len(contents)]
            yield from (t[2] for t in children(contents))


class LabTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.remove)
        self.card = new_card(self.scratch.path)
        self.profiles = os.path.join(self.scratch.path, "profiles")
        os.mkdir(self.profiles)
        shutil.copyfile(PROFILE, os.path.join(self.profiles, "OP.der"))

    def smdp(self, *arguments):
        dp = SmDp(self.profiles, *arguments)
        self.addCleanup(dp.stop)
        self.addCleanup(dp.connection.close)
        return dp

    def open_card(self):
        card = Card(self.card)
        self.addCleanup(card.close)
        return card

    def ipa(self, *arguments, status=0):
        done = subprocess.run([LAB, "ipa", "--card", self.card, *arguments], capture_output=True,
                              text=True, timeout=DEADLINE, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        if status == 0:
            self.assertEqual(done.stderr, "")
            return done.stdout
        return done.stderr

    def metadata(self, text):
        with open(os.path.join(self.profiles, "OP.metadata"), "w", encoding="utf-8") as f:
            f.write(text)

    def fails(self, message, *arguments):
        self.assertEqual(self.ipa(*arguments, status=1), f"softeuicc-lab ipa: {message}\n")

    # --- the way of a profile

    def test_a_profile_from_download_to_delete(self):
        dp = self.smdp()
        self.assertEqual(self.ipa("list"), "")
        self.assertEqual(self.ipa("download", dp.code("OP")),
                         "authenticating\ndownloading\ninstalling\n"
                         f"installed {ICCID} {AID}\n"
                         f"notification 1 install sent to {dp.address}\n")
        self.assertEqual(self.ipa("list"), f"{ICCID} disabled operational {AID} {NAMES}\n")
        self.assertEqual(self.ipa("enable", ICCID), "EnableProfile: ok\n")
        self.fails("EnableProfile: profileNotInDisabledState(2)", "enable", AID)
        self.fails("DeleteProfile: profileNotInDisabledState(2)", "delete", ICCID)
        self.assertEqual(self.ipa("nickname", ICCID, "work"), "SetNickname: ok\n")
        self.assertEqual(self.ipa("list"), f'{ICCID} enabled operational {AID} {NAMES} "work"\n')
        self.assertEqual(self.ipa("disable", AID), "DisableProfile: ok\n")
        self.fails("DisableProfile: profileNotInEnabledState(2)", "disable", ICCID)
        self.assertEqual(self.ipa("delete", ICCID), "DeleteProfile: ok\n")
        self.fails("DeleteProfile: iccidOrAidNotFound(1)", "delete", ICCID)
        self.assertEqual(self.ipa("list"), "")
        self.assertEqual(self.ipa("notifications", "list"),
                         f"2 enable {ICCID} {dp.address}\n3 disable {ICCID} {dp.address}\n"
                         f"4 delete {ICCID} {dp.address}\n")
        self.assertEqual(self.ipa("notifications", "remove", "3"), "notification 3 removed\n")
        self.assertEqual(self.ipa("notifications", "process"),
                         f"notification 2 enable sent to {dp.address}\n"
                         f"notification 4 delete sent to {dp.address}\n")
        self.assertEqual(self.ipa("notifications", "list"), "")
        self.assertEqual(dp.stop(signal.SIGINT), 0)
        seen = [(line["operation"], line["seqNumber"], line["verified"]) for line in dp.log()
                if line["function"] == "handleNotification"]
        self.assertEqual(seen, [("install", 1, True), ("enable", 2, True), ("delete", 4, True)])

    def test_the_log_tells_each_call(self):
        dp = self.smdp()
        self.ipa("download", "--no-notifications", dp.code("OP"))
        self.assertEqual(self.ipa("notifications", "list"), f"1 install {ICCID} {dp.address}\n")
        self.ipa("notifications", "process")
        self.assertEqual(dp.stop(), 0)
        log = dp.log()
        ids = {line.pop("transactionId") for line in log}
        self.assertEqual(len(ids), 1)
        known = {"eid": EID, "matchingId": "OP"}
        done = {"status": "Executed-Success"}
        self.assertEqual(log, [
            {"function": "initiateAuthentication", **done},
            {"function": "authenticateClient", **known, **done},
            {"function": "getBoundProfilePackage", **known, **done},
            {"function": "handleNotification", **known,
             "notification": "profileInstallationResult", "operation": "install",
             "seqNumber": 1, "notificationAddress": dp.address, "iccid": ICCID,
             "result": "success", "isdpAid": AID, "simaResponse": "3007A0053003800100",
             "verified": True, **done},
        ])

    def test_brainpool_without_profile_protection_keys(self):
        dp = self.smdp("--curve", "brp", "--no-ppk", "--class", "test")
        out = self.ipa("--json", "download", dp.code("OP"))
        self.assertEqual([json.loads(line) for line in out.splitlines()], [
            {"iccid": ICCID, "isdpAid": AID, "simaResponse": "3007A0053003800100"},
            {"seqNumber": 1, "operation": "install", "iccid": ICCID,
             "notificationAddress": dp.address}])
        self.assertEqual(json.loads(self.ipa("--json", "list")), [
            {"iccid": ICCID, "profileState": "disabled", "profileClass": "test", "isdpAid": AID,
             "serviceProviderName": "softeuicc test", "profileName": "softeuicc operational"}])

    def test_a_second_download_of_the_same_profile_fails_on_the_card(self):
        dp = self.smdp()
        self.ipa("download", dp.code("OP"))
        self.fails("installation failed: storeMetadata(2): "
                   "installFailedDueToIccidAlreadyExistsOnEuicc(9)", "download", dp.code("OP"))
        self.assertEqual(dp.stop(), 0)
        self.assertEqual(dp.log()[-1]["errorReason"],
                         "installFailedDueToIccidAlreadyExistsOnEuicc")
        self.assertTrue(dp.log()[-1]["verified"])

    def test_metadata_beside_the_package(self):
        self.metadata("serviceProviderName=Zw\u00f6lf\nprofileName=Test\nowner=262-01\n"
                      "notification=delete@127.0.0.1:1\nicon=icon.png\n")
        with open(os.path.join(self.profiles, "icon.png"), "wb") as f:
            f.write(b"\x89PNG\r\n\x1a\n" + bytes(1016))
        self.ipa("download", self.smdp().code("OP"))
        self.assertEqual(self.ipa("list"),
                         f'{ICCID} disabled operational {AID} "Zw\u00f6lf" "Test"\n')
        self.ipa("enable", ICCID)
        self.assertEqual(self.ipa("notifications", "list"), "")
        self.ipa("disable", ICCID)
        self.ipa("delete", ICCID)
        self.assertIn("1 notification(s) not sent", self.ipa("notifications", "process", status=1))
        self.assertEqual(self.ipa("notifications", "list"), f"2 delete {ICCID} 127.0.0.1:1\n")

    def test_metadata_that_cannot_be_read(self):
        dp = self.smdp()
        self.metadata("profileClass=none\n")
        refused = "authenticateClient: refused by the server: 8.2 Profile, 3.7 Unavailable: "
        self.fails(refused + "profileClass: bad value none", "download", dp.code("OP"))
        self.metadata("ecall=maybe\n")
        self.fails(refused + "ecall: bad value maybe", "download", dp.code("OP"))
        with open(os.path.join(self.profiles, "BAD.der"), "wb") as f:
            f.write(b"\xa0\x00")
        self.fails(refused + "not a profile package: no ProfileHeader with an ICCID",
                   "download", dp.code("BAD"))

    def test_profile_policy_rules(self):
        self.metadata("ppr=ppr1,ppr2\nowner=262-01\n")
        self.ipa("download", self.smdp().code("OP"))
        self.fails("DeleteProfile: disallowedByPolicy(3)", "delete", ICCID)
        self.ipa("enable", ICCID)
        self.fails("DisableProfile: disallowedByPolicy(3)", "disable", ICCID)
        self.assertEqual(self.ipa("reset"), "eUICCMemoryReset: ok\n")

    def test_memory_reset(self):
        dp = self.smdp()
        self.ipa("download", dp.code("OP"))
        self.ipa("enable", ICCID)
        self.assertEqual(self.ipa("reset"), "eUICCMemoryReset: ok\n")
        self.assertEqual(self.ipa("list"), "")
        self.fails("eUICCMemoryReset: nothingToDelete(1)", "reset")

    def test_info(self):
        lines = dict(line.split(" ", 1) for line in self.ipa("info").splitlines())
        self.assertEqual(lines["eid"], EID)
        self.assertEqual(lines["svn"], "2.5.0")
        self.assertEqual(len(lines["euiccCiPKIdListForSigning"].split()), 2)

    # --- confirmation codes, cancelled sessions

    def test_confirmation_code(self):
        dp = self.smdp("--confirmation-code", "1234")
        refused = ("getBoundProfilePackage: refused by the server: 8.2.7 Confirmation Code, ")
        self.fails("the profile needs a confirmation code: --confirmation-code",
                   "download", dp.code("OP"))
        self.fails("the activation code asks for --confirmation-code",
                   "download", dp.code("OP", "$$1"))
        for _ in range(2):
            self.fails(refused + "3.8 Refused: wrong confirmation code",
                       "download", dp.code("OP"), "--confirmation-code", "1233")
        self.assertIn(f"installed {ICCID}",
                      self.ipa("download", dp.code("OP"), "--confirmation-code", "1234"))
        self.ipa("delete", ICCID)
        for _ in range(3):
            self.ipa("download", dp.code("OP"), "--confirmation-code", "1233", status=1)
        self.fails(refused + "6.4 Maximum number of retries exceeded: "
                   "too many wrong confirmation codes",
                   "download", dp.code("OP"), "--confirmation-code", "1234")
        self.assertEqual(dp.stop(), 0)
        cancelled = [line for line in dp.log() if line["function"] == "cancelSession"]
        self.assertEqual(len(cancelled), 7)
        for line in cancelled:
            self.assertEqual((line["cancelReason"], line["status"]),
                             ("postponed", "Executed-Success"))

    def test_activation_codes(self):
        dp = self.smdp()
        self.fails("authenticateClient: refused by the server: 8.2.6 Matching ID, 3.8 Refused: "
                   "no profile for this matching id", "download", dp.code("NONE"))
        self.fails("authenticateClient: refused by the server: 8.2.6 Matching ID, 3.8 Refused: "
                   "no profile for this matching id", "download", dp.code("../profiles/OP"))
        self.fails("not an activation code: it does not begin with LPA:1$", "download", "LPA:2$a")
        self.fails("not an activation code: LPA:1$address$matchingId[$oid][$1]",
                   "download", "LPA:1$a")
        self.fails("the server's OID is not 2.999.1", "download", dp.code("OP", "$2.999.1"))
        self.ipa("download", "--imei", "353234090123453", dp.code("OP", "$2.999.10"))

    def test_tls_is_verified(self):
        dp = self.smdp()
        port = dp.address.split(":")[1]
        self.assertIn("localhost",
                      self.ipa("download", f"LPA:1$localhost:{port}$OP", status=1))
        pki = os.path.join(self.scratch.path, "pki")
        subprocess.run([SOFTEUICC, "pki", pki], check=True, capture_output=True)
        self.assertIn("SSL certificate problem",
                      self.ipa("--pki", pki, "download", dp.code("OP"), status=1))
        other = self.smdp("--pki", pki)
        self.assertIn("SSL certificate problem",
                      self.ipa("download", other.code("OP"), status=1))
        self.assertIn("8.8.2 Security configuration, 3.1 Unsupported",
                      self.ipa("--pki", pki, "download", other.code("OP"), status=1))

    def test_usage(self):
        for arguments in ([], ["frob"], ["ipa", "list"], ["ipa", "--card", "x", "frob"],
                          ["ipa", "--card", "x", "--reader", "0", "list"],
                          ["smdpp", "--port", "70000"], ["smdpp", "--curve", "p384"],
                          ["smdpp", "x"], ["ipa", "--frob"]):
            done = subprocess.run([LAB, *arguments], capture_output=True, text=True,
                                  timeout=DEADLINE, check=False)
            self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)
            self.assertNotEqual(done.stderr, "")
        for arguments, what in (([], "which command?"), (["frob"], "no such command: frob"),
                                (["enable"], "it is written: enable ID"),
                                (["notifications"], "notifications process, or notifications"),
                                (["list", "all"], "it is written: list;")):
            done = subprocess.run([LAB, "ipa", *arguments], capture_output=True, text=True,
                                  timeout=DEADLINE, check=False)
            self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1), arguments)
            self.assertIn(what, done.stderr)
        for arguments in (["--help"], ["--version"], ["smdpp", "--help"], ["ipa", "--help"]):
            done = subprocess.run([LAB, *arguments], capture_output=True, text=True,
                                  timeout=DEADLINE, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), arguments)
        for arguments in (["ipa", "--card", "/nonexistent/card", "list"],
                          ["smdpp", "--pki", "/nonexistent"],
                          ["smdpp", "--port", "0", "--profiles", "/nonexistent"],
                          ["smdpp", "--bind", "256.0.0.1"]):
            done = subprocess.run([LAB, *arguments], capture_output=True, text=True,
                                  timeout=DEADLINE, check=False)
            self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1), arguments)

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full")
    def test_output_that_is_lost_is_an_error(self):
        for line in ('"$0" --help >/dev/full', '"$0" ipa --card "$1" info >/dev/full',
                     '"$0" ipa --card "$1" info >&-'):
            done = subprocess.run(["sh", "-c", line, LAB, self.card], capture_output=True,
                                  text=True, timeout=DEADLINE, check=False)
            self.assertEqual(done.returncode, 1, line)
            self.assertIn("softeuicc-lab: standard output: ", done.stderr)

    # --- the device's side against what it is sent

    def proxy(self):
        if shutil.which("openssl") is None:
            self.skipTest("no openssl program")
        proxy = Proxy(self.scratch.path)
        self.addCleanup(proxy.stop)
        proxy.dp = self.smdp("--host", proxy.address)
        return proxy

    def download(self, proxy, status):
        return self.ipa("--ca", proxy.ca, "download", f"LPA:1${proxy.address}$OP", status=status)

    def last_cancel_reason(self, proxy):
        self.assertEqual(proxy.dp.stop(), 0)
        line = proxy.dp.log()[-1]
        self.assertEqual((line["function"], line["status"]), ("cancelSession", "Executed-Success"))
        return line["cancelReason"]

    def test_a_proxy_that_changes_nothing(self):
        self.assertIn(f"installed {ICCID}", self.download(self.proxy(), 0))

    def test_metadata_that_differs_from_the_package(self):
        def change(answer):
            metadata = base64.b64decode(answer["profileMetadata"])
            answer["profileMetadata"] = b64(metadata.replace(b"operational", b"operationaL"))
        proxy = self.proxy()
        proxy.change["authenticateClient"] = change
        self.assertIn("the metadata in the profile package is not that of authenticateClient",
                      self.download(proxy, 1))
        self.assertEqual(self.last_cancel_reason(proxy), "metadataMismatch")

    def test_metadata_with_or_without_a_default_are_the_same(self):
        operational = bytes.fromhex("950102")  # profileClass

        def change(answer):
            fields = children(take(base64.b64decode(answer["profileMetadata"]))[1])
            octets = [whole for _, _, whole in fields if whole != operational]
            if len(octets) == len(fields):
                octets[3:3] = [operational]
            answer["profileMetadata"] = b64(tlv("BF25", *octets))
        proxy = self.proxy()
        proxy.change["authenticateClient"] = change
        self.assertIn(f"installed {ICCID}", self.download(proxy, 0))

    def test_a_package_that_is_none(self):
        def change(answer):
            answer["boundProfilePackage"] = b64(tlv("BF36", tlv("BF23")))
        proxy = self.proxy()
        proxy.change["getBoundProfilePackage"] = change
        self.assertIn("not a BoundProfilePackage", self.download(proxy, 1))
        self.assertEqual(self.last_cancel_reason(proxy), "undefinedReason")

    def test_a_package_that_was_tampered_with(self):
        def change(answer):
            package = bytearray(base64.b64decode(answer["boundProfilePackage"]))
            package[-1] ^= 1
            answer["boundProfilePackage"] = b64(package)
        proxy = self.proxy()
        proxy.change["getBoundProfilePackage"] = change
        self.assertIn("loadProfileElements(5): scp03tSecurityError(8)", self.download(proxy, 1))
        self.assertEqual(proxy.dp.stop(), 0)
        line = proxy.dp.log()[-1]
        self.assertEqual((line["errorReason"], line["verified"]), ("scp03tSecurityError", True))
        self.assertEqual(self.ipa("list"), "")

    def test_a_package_without_an_end(self):
        def change(answer):
            _, value, _, _ = take(base64.b64decode(answer["boundProfilePackage"]))
            parts = [whole for _, _, whole in children(value)]
            answer["boundProfilePackage"] = b64(tlv("BF36", *parts[:-1], tlv("A3")))
        proxy = self.proxy()
        proxy.change["getBoundProfilePackage"] = change
        self.download(proxy, 1)
        self.assertEqual(self.ipa("list"), "")

    def test_an_answer_with_a_signature_that_does_not_verify(self):
        def change(answer):
            signature = bytearray(base64.b64decode(answer["smdpSignature2"]))
            signature[-1] ^= 1
            answer["smdpSignature2"] = b64(signature)
        proxy = self.proxy()
        proxy.change["authenticateClient"] = change
        self.assertEqual(self.download(proxy, 1),
                         "softeuicc-lab ipa: PrepareDownload: invalidSignature(2)\n")

    def test_a_server_that_answers_for_another(self):
        def change(answer):
            signed = base64.b64decode(answer["serverSigned1"])
            answer["serverSigned1"] = b64(signed.replace(b"127.0.0.1", b"127.0.0.2"))
        proxy = self.proxy()
        proxy.change["initiateAuthentication"] = change
        self.assertEqual(self.download(proxy, 1), "softeuicc-lab ipa: "
                         f"serverSigned1.serverAddress is not {proxy.address}\n")

    # --- the server against what it is sent

    def test_a_package_is_bound_again_to_the_same_key(self):
        dp, card = self.smdp(), self.open_card()
        answer, status = dp.call("authenticateClient",
                                 card.authenticate(card.initiate(dp), "OP"))
        self.assertEqual(status, "")
        self.assertIsNone(first(take(base64.b64decode(answer["smdpSigned2"]))[1], "5F49"))
        prepared = card.prepare(answer)
        ok = take(take(base64.b64decode(prepared["prepareDownloadResponse"]))[1])[1]
        key = first(take(ok)[1], "5F49")
        answer, _ = dp.call("getBoundProfilePackage", prepared)
        one = base64.b64decode(answer["boundProfilePackage"])
        for segment in list(segments(one))[:4]:
            self.assertEqual(card.es10(segment), b"")

        answer, _ = dp.call("authenticateClient", card.authenticate(card.initiate(dp), "OP"))
        self.assertEqual(first(take(base64.b64decode(answer["smdpSigned2"]))[1], "5F49"), key)
        prepared = card.prepare(answer)
        ok = take(take(base64.b64decode(prepared["prepareDownloadResponse"]))[1])[1]
        self.assertEqual(first(take(ok)[1], "5F49"), key)
        answer, _ = dp.call("getBoundProfilePackage", prepared)
        two = base64.b64decode(answer["boundProfilePackage"])
        (_, _, init1), *tail1 = children(take(one)[1])
        (_, _, init2), *tail2 = children(take(two)[1])
        self.assertNotEqual(init1, init2)
        self.assertEqual(first(take(init1)[1], "5F49"), first(take(init2)[1], "5F49"))
        self.assertEqual(tail1, tail2)
        *before, result = [card.es10(segment) for segment in segments(two)]
        self.assertEqual(set(before), {b""})
        self.assertEqual(take(result)[0], "BF37")
        _, status = dp.call("handleNotification", {"pendingNotification": b64(result)})
        self.assertEqual(status, "")
        self.assertEqual(dp.stop(), 0)
        self.assertEqual((dp.log()[-1]["result"], dp.log()[-1]["verified"]), ("success", True))

    def test_a_signature_that_does_not_verify(self):
        dp, card = self.smdp(), self.open_card()
        request = card.authenticate(card.initiate(dp), "OP")
        response = bytearray(base64.b64decode(request["authenticateServerResponse"]))
        at = response.index(bytes.fromhex("5F3740"))
        response[at + 10] ^= 1
        bad = {**request, "authenticateServerResponse": b64(response)}
        self.assertEqual(dp.call("authenticateClient", bad)[1], "8.1 6.1")
        self.assertEqual(dp.call("authenticateClient", request)[1], "8.10.1 3.9")

    def test_a_certificate_of_another_eum(self):
        dp, card = self.smdp(), self.open_card()
        request = card.authenticate(card.initiate(dp), "OP")
        outer = take(base64.b64decode(request["authenticateServerResponse"]))[1]
        parts = [whole for _, _, whole in children(take(outer)[1])]
        parts[3] = parts[2]  # the eUICC's certificate is no EUM's
        bad = {**request, "authenticateServerResponse": b64(tlv("BF38", tlv("A0", *parts)))}
        self.assertEqual(dp.call("authenticateClient", bad)[1], "8.1.2 6.1")

    def test_calls_out_of_order(self):
        dp, card = self.smdp(), self.open_card()
        initiated = card.initiate(dp)
        request = card.authenticate(initiated, "OP")
        nothing = {"transactionId": initiated["transactionId"], "cancelSessionResponse": "AAAA",
                   "prepareDownloadResponse": "AAAA"}
        self.assertEqual(dp.call("getBoundProfilePackage", nothing)[1], "8.10.1 3.9")
        self.assertEqual(dp.call("cancelSession", nothing)[1], "8.10.1 3.9")
        answer, status = dp.call("authenticateClient", request)
        self.assertEqual(status, "")
        self.assertEqual(dp.call("authenticateClient", request)[1], "8.10.1 3.9")
        self.assertEqual(dp.call("cancelSession", nothing)[1], "1.6 2.1")
        cancelled = card.es10(tlv("BF41", tlv("80", bytes.fromhex(answer["transactionId"])),
                                  tlv("81", b"\x03")))
        request = {"transactionId": answer["transactionId"], "cancelSessionResponse": b64(cancelled)}
        self.assertEqual(dp.call("cancelSession", request)[1], "")
        self.assertEqual(dp.call("cancelSession", request)[1], "8.10.1 3.9")

    def test_malformed_requests(self):
        dp = self.smdp()
        start = {"smdpAddress": dp.address, "euiccChallenge": b64(bytes(16)),
                 "euiccInfo1": b64(tlv("BF20", tlv("82", b"\2\5\0"), tlv("A9"), tlv("AA")))}
        for body, status in (("", "1.3.1 2.1"), ("{", "1.3.1 2.1"), ("[]", "1.3.1 2.1"),
                             ("{}", "1.6 2.2"), ("[" * 5000, "1.3.1 2.1"),
                             (b"\xff\xfe\0", "1.3.1 2.1"),
                             ({**start, "euiccInfo1": 5}, "1.6 2.2"),
                             ({**start, "euiccInfo1": "A"}, "1.6 2.1"),
                             ({**start, "euiccInfo1": "AAA*"}, "1.6 2.1"),
                             ({**start, "euiccInfo1": "vyCE/////w=="}, "1.6 2.1"),
                             ({**start, "euiccChallenge": b64(bytes(15))}, "1.6 2.1"),
                             ({**start, "smdpAddress": "example.com"}, "8.8.1 3.8"),
                             (start, "8.8.2 3.1")):
            self.assertEqual(dp.call("initiateAuthentication", body)[1], status, body)
        for name, field in (("authenticateClient", "authenticateServerResponse"),
                            ("getBoundProfilePackage", "prepareDownloadResponse"),
                            ("cancelSession", "cancelSessionResponse")):
            self.assertEqual(dp.call(name, {field: "AAAA"})[1], "1.6 2.2")
            self.assertEqual(dp.call(name, {"transactionId": "0", field: "AAAA"})[1], "1.6 2.1")
            self.assertEqual(dp.call(name, {"transactionId": "00" * 17, field: "AAAA"})[1],
                             "1.6 2.1")
            self.assertEqual(dp.call(name, {"transactionId": "00", field: "AAAA"})[1],
                             "8.10.1 3.9")
        self.assertEqual(dp.call("handleNotification", {"pendingNotification": "AAAA"})[1],
                         "1.6 2.1")
        path = "/gsma/rsp2/es9plus/initiateAuthentication"
        self.assertEqual(dp.raw("/gsma/rsp2/es9plus/none", "{}")[0], 404)
        self.assertEqual(dp.raw(path, None, method="GET")[0], 405)
        self.assertIn(b'"1.3.2"', dp.raw(path, "{}", protocol=None)[1])
        dp.connection.putrequest("POST", path)
        dp.connection.putheader("Content-Length", "2000000")
        dp.connection.endheaders()
        self.assertEqual(dp.connection.getresponse().status, 413)
        dp.connection.close()
        self.assertEqual(dp.call("initiateAuthentication", start)[1], "8.8.2 3.1")
        self.assertEqual(dp.stop(), 0)

    def test_each_octet_of_a_response_may_be_wrong(self):
        dp, card = self.smdp(), self.open_card()
        request = card.authenticate(card.initiate(dp), "OP")
        response = base64.b64decode(request["authenticateServerResponse"])
        for at in range(0, len(response), 7):
            bad = bytearray(response)
            bad[at] ^= 0x41
            initiated = card.initiate(dp)
            _, status = dp.call("authenticateClient", {
                "transactionId": initiated["transactionId"],
                "authenticateServerResponse": b64(bad)})
            self.assertIn(status, ("1.6 2.1", "8.1 6.1", "8.1.2 6.1", "8.1.3 6.1", "8.1 4.2"), at)
        for n in range(0, len(response), 97):
            initiated = card.initiate(dp)
            _, status = dp.call("authenticateClient", {
                "transactionId": initiated["transactionId"],
                "authenticateServerResponse": b64(response[:n])})
            self.assertEqual(status, "1.6 2.1", n)

    def test_sessions_are_bounded(self):
        dp, card = self.smdp(), self.open_card()
        initiated = card.initiate(dp)
        request = card.authenticate(initiated, "OP")
        for _ in range(256):
            card.initiate(dp)
        self.assertEqual(dp.call("authenticateClient", request)[1], "8.10.1 3.9")

    def test_ready_line_goes_where_scripts_want_it(self):
        path = os.path.join(self.scratch.path, "ready")
        dp = self.smdp("--host", "dp.test", "--ready-file", path)
        dp.says("dp.test")
        with open(path, encoding="utf-8") as f:
            self.assertEqual(f.read(), dp.output)
        self.assertTrue(dp.output.startswith("SM-DP+ at https://dp.test:"))
        done = subprocess.run([LAB, "smdpp", "--port", "0", "--ready-file", path + "/x"],
                              capture_output=True, text=True, timeout=DEADLINE, check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))


if __name__ == "__main__":
    unittest.main()
