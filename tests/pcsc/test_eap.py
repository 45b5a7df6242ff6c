#!/usr/bin/python3
"""Real programs take the card for a USIM: wpa_supplicant's eapol_test with the card in its reader
completes EAP-AKA (RFC 4187) and EAP-AKA' (RFC 5448) against hostapd as EAP and RADIUS server.

hostapd asks an authentication centre for vectors; it is here, with a Milenage (TS 35.206) that
shares nothing with the card's.  SOFTEUICC_PROFILE is operational.der.
"""

import os
import secrets
import shutil
import socket
import subprocess
import threading
import unittest

from harness import Client, Pcscd
from programs import (DEADLINE, SELECT_ISDR, Process, RunningCard, Scratch, new_card, skip,
                      softeuicc, wait_for)

PROFILE = os.environ.get("SOFTEUICC_PROFILE", "operational.der")
SBIN = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
EAPOL_TEST = shutil.which("eapol_test", path=SBIN)
HOSTAPD = shutil.which("hostapd", path=SBIN)

ENABLE = "80E2910014BF3111A00C5A0A980010000000000010F98101FF00"
ENABLED = "BF31038001009000"

# What profiles/operational.xer says.
IMSI = "001010000000001"
K = bytes.fromhex("465B5CE8B199B49FAA5F0A2EE238A6BC")
OPC = bytes.fromhex("CD63CB71954A9F4E48A5994E37A02BAF")

PIN = "0000"
PIN_BLOCK = PIN.encode("ascii").ljust(8, b"\xFF").hex().upper()
ENABLE_PIN = "0028000108" + PIN_BLOCK
VERIFY_PIN = "> 0020000108" + PIN_BLOCK

# How the card's answers begin in its trace (TS 31.102 7.1.2).
ANSWER_GOOD = "< DB08"
ANSWER_RESYNC = "< DC0E"
MAC_WRONG = "< 9862"

# RFC 4187 4.1.1.6, RFC 5448 3.1, TS 23.003 19.3.2; that the MNC has two digits is in EF.AD.
IDENTITY = {method: f"{digit}{IMSI}@wlan.mnc001.mcc001.3gppnetwork.org"
            for method, digit in (("AKA", 0), ("AKA'", 6))}

RADIUS_SECRET = "radius"
AHEAD = 1000  # the sequence number that a lagging centre forgot
AMF = bytes.fromhex("8000")  # the separation bit: the challenge may serve EAP-AKA'
AMF_RESYNC = bytes(2)  # TS 33.102 6.3.3
IND_BITS = 5  # TS 33.102 C.3.2: the index below the sequence number proper
BLOCK = 16


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def xtime(x):
    """x times 2 in GF(2^8) (FIPS 197 4.2.1)."""
    return x << 1 if x < 0x80 else (x << 1) ^ 0x11B


def times(a, b):
    product = 0
    while b:
        if b & 1:
            product ^= a
        a, b = xtime(a), b >> 1
    return product


def s_box():
    """FIPS 197 5.1.1: the inverse (0 stays) and an affine mapping."""
    box = []
    for x in range(256):
        inverse = next((y for y in range(256) if times(x, y) == 1), 0)
        mapped = 0x63
        for turn in range(5):
            mapped ^= (inverse << turn | inverse >> (8 - turn)) & 0xFF
        box.append(mapped)
    return bytes(box)


S_BOX = s_box()


class Aes:
    """AES-128, encryption of one block (FIPS 197 5.1)."""

    ROUNDS = 10

    def __init__(self, key):
        words = [key[i:i + 4] for i in range(0, BLOCK, 4)]
        constant = 1
        for i in range(4, 4 * (self.ROUNDS + 1)):
            word = words[-1]
            if i % 4 == 0:
                word = (word[1:] + word[:1]).translate(S_BOX)
                word = bytes([word[0] ^ constant]) + word[1:]
                constant = xtime(constant)
            words.append(xor(words[-4], word))
        self.keys = [b"".join(words[i:i + 4]) for i in range(0, len(words), 4)]

    def encrypt(self, block):
        state = xor(block, self.keys[0])
        for key in self.keys[1:-1]:
            state = xor(self._mix(self._substitute(state)), key)
        return xor(self._substitute(state), self.keys[-1])

    @staticmethod
    def _substitute(state):
        """SubBytes and ShiftRows; a column is four octets in a row."""
        state = state.translate(S_BOX)
        return bytes(state[(i + 4 * (i % 4)) % BLOCK] for i in range(BLOCK))

    @staticmethod
    def _mix(state):
        mixed = []
        for column in range(0, BLOCK, 4):
            a = state[column:column + 4]
            for i in range(4):
                mixed.append(xtime(a[i]) ^ xtime(a[(i + 1) % 4]) ^ a[(i + 1) % 4]
                             ^ a[(i + 2) % 4] ^ a[(i + 3) % 4])
        return bytes(mixed)


class Milenage:
    """TS 35.206 4.1, for one RAND."""

    def __init__(self, k, opc, rand):
        self.aes = Aes(k)
        self.opc = opc
        self.temp = self.aes.encrypt(xor(rand, opc))
        out2 = self._out(0, 1)
        self.res, self.ak = out2[8:], out2[:6]
        self.ck = self._out(4, 2)
        self.ik = self._out(8, 4)
        self.ak_resync = self._out(12, 8)[:6]

    def _out(self, rotation, constant):
        turned = xor(self.temp, self.opc)
        turned = turned[rotation:] + turned[:rotation]
        return xor(self.aes.encrypt(xor(turned, bytes(BLOCK - 1) + bytes([constant]))), self.opc)

    def macs(self, sqn, amf):
        """MAC-A and MAC-S: f1 and f1*."""
        turned = xor((sqn + amf) * 2, self.opc)
        turned = turned[8:] + turned[:8]
        out1 = xor(self.aes.encrypt(xor(self.temp, turned)), self.opc)
        return out1[:8], out1[8:]


class AuthenticationCentre:
    """Answers hostapd as its hlr_auc_gw does: datagrams of text at a local socket."""

    def __init__(self, path):
        self.k, self.opc = K, OPC
        self.seq = 0
        self.log = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            request, sender = self.socket.recvfrom(1000)
            words = request.decode("ascii").split()
            if not words:
                return
            answer = self._answer(*words)
            if answer is not None:
                self.socket.sendto(answer.encode("ascii"), sender)

    def _answer(self, command, imsi, *rest):
        if command == "AKA-REQ-AUTH":
            return f"AKA-RESP-AUTH {imsi} " + (self._vector() if imsi == IMSI else "FAILURE")
        if command == "AKA-AUTS":
            self._resynchronise(*[bytes.fromhex(r) for r in rest])
        else:
            self.log.append(f"cannot {command}")
        return None

    def _vector(self):
        self.seq += 1
        sqn = (self.seq << IND_BITS).to_bytes(6, "big")
        rand = secrets.token_bytes(BLOCK)
        f = Milenage(self.k, self.opc, rand)
        autn = xor(sqn, f.ak) + AMF + f.macs(sqn, AMF)[0]
        self.log.append(f"vector {self.seq}")
        return " ".join(part.hex() for part in (rand, autn, f.ik, f.ck, f.res))

    def _resynchronise(self, auts, rand):
        f = Milenage(self.k, self.opc, rand)
        sqn = xor(auts[:6], f.ak_resync)
        if f.macs(sqn, AMF_RESYNC)[1] != auts[6:]:
            self.log.append("AUTS with a wrong MAC-S")
            return
        self.seq = int.from_bytes(sqn, "big") >> IND_BITS
        self.log.append(f"the card is at {self.seq}")

    def stop(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.sendto(b"", self.socket.getsockname())
        self.thread.join(DEADLINE)
        self.socket.close()


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    return path


class Hostapd:
    """hostapd as nothing but an EAP server behind RADIUS: no network interface, no radio."""

    def __init__(self, folder, centre):
        self.log = os.path.join(folder, "hostapd.log")  # its standard output comes late
        users = write(folder, "eap-users", '"0"* AKA\n"6"* AKA\'\n')
        clients = write(folder, "radius-clients", f"127.0.0.1/32 {RADIUS_SECRET}\n")
        for _ in range(3):  # the port may be taken by another between choosing and using it
            self.port = free_udp_port()
            config = write(folder, "hostapd.conf", "\n".join([
                "driver=none", "interface=none", "eap_server=1", f"eap_user_file={users}",
                f"eap_sim_db=unix:{centre}", f"radius_server_clients={clients}",
                f"radius_server_auth_port={self.port}", ""]))
            write(folder, "hostapd.log", "")
            self.process = Process([HOSTAPD, "-d", "-f", self.log, config])
            wait_for(self._settled, "hostapd")
            if self.process.process.poll() is None:
                return
            self.process.stop()
        raise AssertionError(f"hostapd does not start:\n{self.process.output}{self.said()}")

    def said(self):
        with open(self.log, encoding="ascii", errors="replace") as log:
            return log.read()

    def _settled(self):
        return self.process.process.poll() is not None or "AP-ENABLED" in self.said()

    def stop(self):
        self.process.stop()


class EapTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for program, package in ((EAPOL_TEST, "eapoltest"), (HOSTAPD, "hostapd")):
            if program is None:
                skip(f"package {package} is not installed")
        cls.scratch = Scratch()
        cls.addClassCleanup(cls.scratch.remove)
        cls.pcscd = Pcscd(cls.scratch.path)
        cls.pcscd.start()
        cls.addClassCleanup(lambda: cls.pcscd.stop())
        path = os.path.join(cls.scratch.path, "centre")
        cls.centre = AuthenticationCentre(path)
        cls.addClassCleanup(cls.centre.stop)
        cls.hostapd = Hostapd(cls.scratch.path, path)
        cls.addClassCleanup(cls.hostapd.stop)

    def setUp(self):
        self.centre.k, self.centre.seq, self.centre.log = K, 0, []
        card = new_card(self.scratch.path, "--profile", PROFILE,
                        name=self.id().rsplit(".", maxsplit=1)[-1])
        enabled = softeuicc("apdu", card, stdin=f"{SELECT_ISDR}\n{ENABLE}\n")
        self.assertEqual(enabled.stdout.split()[-1:], [ENABLED], enabled.stderr)
        self.running = RunningCard(card, "--reader", f"127.0.0.1:{self.pcscd.port}",
                                   "--trace", "-", "--trace-secrets")
        self.addCleanup(self.running.stop)
        self.client = Client()
        self.addCleanup(self.client.close)
        self.client.wait_until(present=True)

    def tearDown(self):
        self.running.stop()
        self.client.wait_until(present=False)

    def eapol_test(self, method, *settings):
        """Its exit status and output.  Nobody says who the user is: the card's IMSI does."""
        config = write(self.scratch.path, "eapol_test.conf",
                       "\n".join(["network={", "key_mgmt=IEEE8021X", f"eap={method}", 'pcsc=""',
                                  "eapol_flags=0", *settings, "}", ""]))
        done = subprocess.run(
            [EAPOL_TEST, "-c", config, "-a", "127.0.0.1", "-p", str(self.hostapd.port),
             "-s", RADIUS_SECRET, "-A", "127.0.0.1", "-t", str(int(DEADLINE))],
            capture_output=True, text=True, errors="replace", timeout=2 * DEADLINE, check=False)
        return done.returncode, done.stdout + done.stderr

    def completes(self, method, *settings):
        """hostapd has the keys from the vector, eapol_test from the card: the same."""
        status, output = self.eapol_test(method, *settings)
        self.assertEqual(status, 0, output + self.hostapd.said())
        self.assertIn(f"({method}) selected", output)
        self.assertIn(f"'{IDENTITY[method]}'", output)
        self.assertIn("MPPE keys OK: 1  mismatch: 0", output)
        self.assertEqual(output.splitlines()[-1], "SUCCESS")
        self.running.says(ANSWER_GOOD)

    def fails(self, method):
        status, output = self.eapol_test(method)
        self.assertNotEqual(status, 0, output)
        self.assertEqual(output.splitlines()[-1], "FAILURE")
        self.assertNotIn("SUCCESS", output)

    def refuses_a_centre_with_another_key(self, method):
        self.centre.k = bytes(BLOCK)
        self.fails(method)
        self.running.says(MAC_WRONG)
        self.assertNotIn(ANSWER_GOOD, self.running.output)
        self.assertEqual(self.centre.log, ["vector 1"])
        self.centre.k = K
        self.completes(method)

    def resynchronises_a_centre_that_lags(self, method):
        self.centre.seq = AHEAD - 1
        self.completes(method)
        self.centre.seq, self.centre.log = 0, []
        self.completes(method)
        self.running.says(ANSWER_RESYNC)
        self.assertEqual(self.centre.log,
                         ["vector 1", f"the card is at {AHEAD}", f"vector {AHEAD + 1}"])

    def test_aka(self):
        self.completes("AKA")
        self.assertEqual(self.centre.log, ["vector 1"])

    def test_aka_prime(self):
        self.completes("AKA'")
        self.assertEqual(self.centre.log, ["vector 1"])

    def test_aka_with_another_key_fails(self):
        self.refuses_a_centre_with_another_key("AKA")

    def test_aka_prime_with_another_key_fails(self):
        self.refuses_a_centre_with_another_key("AKA'")

    def test_aka_resynchronises(self):
        self.resynchronises_a_centre_that_lags("AKA")

    def test_aka_prime_resynchronises(self):
        self.resynchronises_a_centre_that_lags("AKA'")

    def test_a_pin_is_asked_for_and_taken(self):
        self.client.connect()
        self.assertEqual(self.client.ask(ENABLE_PIN), ("", "9000"))
        self.client.disconnect()
        self.completes("AKA", f'pin="{PIN}"')
        self.running.says(VERIFY_PIN)


class CentreTest(unittest.TestCase):
    """So that a failure above is the card's: FIPS 197 C.1, and TS 35.208 4.3, test set 1."""

    def test_aes(self):
        self.assertEqual(
            Aes(bytes(range(BLOCK))).encrypt(bytes.fromhex("00112233445566778899AABBCCDDEEFF")),
            bytes.fromhex("69C4E0D86A7B0430D8CDB78070B4C55A"))

    def test_milenage(self):
        f = Milenage(K, OPC, bytes.fromhex("23553CBE9637A89D218AE64DAE47BF35"))
        mac_a, mac_s = f.macs(bytes.fromhex("FF9BB4D0B607"), bytes.fromhex("B9B9"))
        self.assertEqual([part.hex().upper() for part in
                          (mac_a, mac_s, f.res, f.ck, f.ik, f.ak, f.ak_resync)],
                         ["4A9FFAC354DFAFB3", "01CFAF9EC4E871E9", "A54211D5E3BA50BF",
                          "B40BA9A3C58B2A05BBF0D987B21BF8CB", "F769BCD751044604127672711C6D3441",
                          "AA689C648370", "451E8BECA43B"])


if __name__ == "__main__":
    unittest.main()
