#!/usr/bin/python3
"""The card's TLS against servers of others: openssl s_server and gnutls-serv, over sockets.

TLS_RELAY is the program that holds the card's end, with pipes for a channel; this script carries
the octets between pipes and sockets in pieces of 237, as RECEIVE DATA does, and loses datagrams."""

import os
import shutil
import socket
import struct
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from programs import DEADLINE, Process, Scratch, die_with_the_test, skip, wait_for  # noqa: E402

RELAY = os.environ.get("TLS_RELAY", "tls_relay")
NAME = "eim.example"
PIECE = 237
QUIET = 0.5  # seconds that stand for one of a CAT timer's, for the sake of speed

FLAGS = {"tls12": "-tls1_2", "tls13": "-tls1_3", "dtls12": "-dtls1_2"}
PRIORITIES = {"tls12": "NORMAL:-VERS-ALL:+VERS-TLS1.2", "tls13": "NORMAL:-VERS-ALL:+VERS-TLS1.3",
              "dtls12": "NORMAL:-VERS-ALL:+VERS-DTLS1.2:+AES-128-CCM-8:+AES-128-CCM"}


class Pki:
    """A CA, a server's certificate under it, and what the card is told to trust."""

    def __init__(self, folder):
        self.folder = folder
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        self.run("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=CA")
        self.run("req", *curve, "-keyout", "key.pem", "-out", "csr.pem", "-subj", "/CN=eIM")
        with open(self.path("ext"), "w", encoding="ascii") as f:
            f.write(f"subjectAltName=DNS:{NAME}\nextendedKeyUsage=serverAuth\n")
        self.run("x509", "-req", "-in", "csr.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-out",
                 "cert.pem", "-extfile", "ext", "-set_serial", "1")
        self.run("x509", "-in", "ca.pem", "-outform", "DER", "-out", "certificate")
        self.run("pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "spki")
        self.run("pkey", "-in", "ca.key", "-pubout", "-outform", "DER", "-out", "other-spki")

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True,
                       timeout=DEADLINE)


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Card:
    """The relay process and one connected socket."""

    def __init__(self, version, trust, pki, port, session=None, lose=(), trusted=None):
        kind = socket.SOCK_DGRAM if version == "dtls12" else socket.SOCK_STREAM
        self.datagrams = kind == socket.SOCK_DGRAM
        self.socket = socket.socket(socket.AF_INET, kind)
        self.connect(port)
        self.lose = set(lose)
        self.number = 0
        self.received = b""
        self.session = None
        command = [RELAY, version, NAME, trust, pki.path(trusted or trust)]
        if session:
            with open(pki.path("session"), "wb") as f:
                f.write(session)
            command.append(pki.path("session"))
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        preexec_fn=die_with_the_test)
        self.collect()

    def connect(self, port):
        def connected():
            try:
                self.socket.connect(("127.0.0.1", port))
                return True
            except ConnectionRefusedError:
                return False
        wait_for(connected, "a connection")

    def lost(self):
        self.number += 1
        return self.datagrams and self.number - 1 in self.lose

    def collect(self):
        """The answer to a frame; what is for the network goes there."""
        while True:
            kind, n = struct.unpack(">cH", self.process.stdout.read(3))
            octets = self.process.stdout.read(n)
            if kind == b"N" and not self.lost():
                self.socket.sendall(octets)
            elif kind == b"P":
                self.received += octets
            elif kind == b"S":
                self.session = octets
            elif kind == b"D":
                state, timer, resumed, self.says = octets.decode().split(" ", 3)
                self.state, self.timer, self.resumed = state, int(timer), resumed == "1"
                return

    def frame(self, kind, octets=b""):
        self.process.stdin.write(struct.pack(">cH", kind, len(octets)) + octets)
        self.process.stdin.flush()
        self.collect()

    def until(self, condition):
        """Carries octets until the condition holds or the connection has ended."""
        end = time.monotonic() + DEADLINE
        while not condition() and self.state in ("handshaking", "open"):
            if time.monotonic() > end:
                raise AssertionError(f"too long: {self.state}, {self.says}, {self.received!r}")
            self.socket.settimeout(QUIET * (self.timer or 1))
            try:
                octets = self.socket.recv(65535 if self.datagrams else PIECE)
            except TimeoutError:
                if self.timer:
                    self.frame(b"T")
                continue
            except ConnectionRefusedError:  # ICMP, before the server is there
                continue
            if not octets:
                self.frame(b"X")
            elif not self.lost():
                for at in range(0, len(octets), PIECE):
                    self.frame(b"N", octets[at:at + PIECE])
                self.frame(b"E")

    def open(self):
        self.until(lambda: self.state == "open")
        if self.state != "open":
            raise AssertionError(f"{self.state}: {self.says}")

    def close(self):
        if self.state == "open":
            self.frame(b"Q")
        self.process.stdin.close()
        self.process.wait(DEADLINE)
        self.process.stdout.close()
        self.socket.close()


class Peers(unittest.TestCase):
    def setUp(self):
        scratch = Scratch()
        self.addCleanup(scratch.remove)
        self.pki = Pki(scratch.path)

    def server(self, version, command):
        udp = version == "dtls12"
        port = free_port(socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
        command = [word.format(port=port) for word in command]
        self.process = Process(command)
        self.addCleanup(self.process.stop)
        if udp:
            time.sleep(0.3)  # neither says when it listens
        return port

    def openssl(self, version, *more):
        command = ["openssl", "s_server", FLAGS[version], "-accept", "{port}", "-cert",
                   self.pki.path("cert.pem"), "-key", self.pki.path("key.pem"), *more]
        if version != "dtls12":
            return self.server(version, [*command, "-rev"])
        # It has no -rev for datagrams, and ends with its standard input: a pipe without an end.
        self.stdin = self.pki.path(f"stdin{len(os.listdir(self.pki.folder))}")
        os.mkfifo(self.stdin)
        return self.server(version, ["sh", "-c", 'exec "$@" <>"$0"', self.stdin, *command])

    def gnutls(self, version):
        udp = ["--udp", "--mtu", "600"] if version == "dtls12" else []
        return self.server(version, [
            "gnutls-serv", "--echo", "--port", "{port}", "--priority", PRIORITIES[version],
            "--x509certfile", self.pki.path("cert.pem"), "--x509keyfile",
            self.pki.path("key.pem"), *udp])

    def card(self, *arguments, **options):
        card = Card(*arguments, **options)
        self.addCleanup(card.close)
        return card

    def talk(self, card, expected):
        card.open()
        card.frame(b"P", b"GetEimPackage\n")
        if not expected:
            self.process.says("GetEimPackage\n")
            expected = b"noEimPackage\n"
            with open(self.stdin, "wb") as f:
                f.write(expected)
        card.until(lambda: len(card.received) >= len(expected))
        self.assertEqual(card.received, expected)

    def test_openssl_with_either_trust(self):
        for version in FLAGS:
            for trust in ("spki", "certificate"):
                with self.subTest(version=version, trust=trust):
                    port = self.openssl(version)
                    card = self.card(version, trust, self.pki, port)
                    self.talk(card, None if version == "dtls12" else b"egakcaPmiEteG\n")

    def test_gnutls_with_either_trust(self):
        for version in FLAGS:
            for trust in ("spki", "certificate"):
                with self.subTest(version=version, trust=trust):
                    port = self.gnutls(version)
                    card = self.card(version, trust, self.pki, port)
                    self.talk(card, b"GetEimPackage\n")

    def test_a_wrong_server_is_refused(self):
        for version in FLAGS:
            for server in (self.openssl, self.gnutls):
                with self.subTest(version=version, server=server.__name__):
                    card = self.card(version, "spki", self.pki, server(version),
                                     trusted="other-spki")
                    card.until(lambda: False)
                    self.assertEqual(card.state, "failed")
                    self.assertIn("alert 42 (bad certificate) sent", card.says)

    def test_ccm_8(self):
        port = self.openssl("dtls12", "-cipher", "ECDHE-ECDSA-AES128-CCM8")
        card = self.card("dtls12", "spki", self.pki, port)
        self.talk(card, None)
        self.assertIn("AES_128_CCM_8", card.says)

    def test_sessions_are_resumed(self):
        for version in ("tls12", "tls13"):
            for server in (self.openssl, self.gnutls):
                with self.subTest(version=version, server=server.__name__):
                    port = server(version)
                    expected = b"GetEimPackage\n"
                    if server == self.openssl:
                        expected = b"egakcaPmiEteG\n"
                    first = self.card(version, "certificate", self.pki, port)
                    self.talk(first, expected)
                    self.assertFalse(first.resumed)
                    first.close()
                    second = self.card(version, "certificate", self.pki, port,
                                       session=first.session)
                    self.talk(second, expected)
                    self.assertTrue(second.resumed)

    def test_lost_datagrams_are_repeated(self):
        for lost in range(9):
            with self.subTest(lost=lost):
                card = self.card("dtls12", "certificate", self.pki, self.gnutls("dtls12"),
                                 lose=[lost])
                card.open()


if __name__ == "__main__":
    if not shutil.which("openssl"):
        skip("no openssl program")
    if not shutil.which("gnutls-serv"):
        skip("no gnutls-serv (Debian: gnutls-bin)")
    unittest.main()
