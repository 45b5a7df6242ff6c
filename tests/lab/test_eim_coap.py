#!/usr/bin/python3
"""softeuicc-lab eim serve --coap: ESipa over CoAP with DTLS.

COAP_CARD is the program that holds the card's CoAP and DTLS and a UDP socket; libcoap's own
coap-client-openssl is the client of others.  What the eIM says over HTTPS is what it has to say
over CoAP."""

import http.client
import os
import shutil
import socket
import sqlite3
import ssl
import subprocess
import unittest

from sgp32 import DEADLINE, EID, LAB, Eim, Process, Scratch, free_port, lab, wait_for

CARD = os.environ.get("COAP_CARD", "coap_card")
CLIENT = "coap-client-openssl"
PATH = "gsma/rsp2/asn1"
SZX_1024, SZX_64 = "6", "2"
BOUND = 1024 * 1024


def tlv(tag, *contents):
    value = b"".join(contents)
    n = len(value)
    length = bytes([n]) if n < 0x80 else bytes([0x84]) + n.to_bytes(4, "big")
    return bytes.fromhex(tag) + length + value


def poll_message(*more, eid=EID):
    """GetEimPackageRequest, perhaps with what an eIM passes over."""
    return tlv("BF4F", tlv("5A", bytes.fromhex(eid)), *more)


def padding(size):
    """TLVs of different lengths: blocks that are missing or out of order do not parse."""
    made, n = b"", 0
    while len(made) < size:
        n += 1
        made += tlv("9F7F", bytes([n % 251]) * (100 + n))
    return made


def message(number, payload=b"", token=None, **options):
    """A POST in a confirmable message, with these options besides its path."""
    token = bytes([number]) if token is None else token
    numbers = {"block2": 23, "block1": 27, "size1": 60, "tag": 292}
    values = [(11, part.encode()) for part in PATH.split("/")]
    values += sorted((numbers[name], value) for name, value in options.items())
    made, last = bytes([0x40 | len(token), 2, 0, number]) + token, 0
    for option, value in values:
        delta, last = option - last, option
        extended = b""
        if delta >= 269:
            delta, extended = 14, (delta - 269).to_bytes(2, "big")
        elif delta >= 13:
            delta, extended = 13, bytes([delta - 13])
        made += bytes([delta << 4 | len(value)]) + extended + value
    return made + (b"\xff" + payload if payload else b"")


def block(num, more=False, szx=0):
    return (num << 4 | more << 3 | szx).to_bytes(3, "big")


def code_of(answer):
    return f"{answer[1] >> 5}.{answer[1] & 31:02}"


class Server(Eim):
    """An eIM with both bindings."""

    def __init__(self, folder, *options, coap="--coap=0", more=()):
        super().__init__(folder, "eim1", "--learn", "no", *options)
        self.folder = folder
        self.serve("--register-any", coap, *more)
        self.coap = self.told().split("coaps at ")[1].strip()
        self.coap_port = int(self.coap.rsplit(":", 1)[1])

    def certificate(self):
        path = os.path.join(self.folder, "certificate")
        with open(path, "wb") as f:
            f.write(self.ask("SELECT value FROM setting WHERE key = 'tls-certificate'"))
        return path

    def stop_serving(self):
        """All of the log is here then."""
        self.server.stop()

    def ask(self, query):
        """One value of its file."""
        db = sqlite3.connect(self.db)
        (value,) = db.execute(query).fetchone()
        db.close()
        return value

    def change(self, statement, *values):
        db = sqlite3.connect(self.db)
        db.execute(statement, values)
        db.commit()
        db.close()

    def https(self, body):
        """The body of the answer to the same message over HTTPS."""
        connection = http.client.HTTPSConnection(
            self.address, context=ssl._create_unverified_context(), timeout=DEADLINE)
        connection.request("POST", "/" + PATH, body,
                           {"Content-Type": "application/x-gsma-rsp-asn1"})
        answer = connection.getresponse()
        octets = answer.read()
        connection.close()
        if answer.status not in (200, 204):
            raise AssertionError(f"HTTP {answer.status}")
        return octets


class Coap(unittest.TestCase):
    def setUp(self):
        scratch = Scratch()
        self.addCleanup(scratch.remove)
        self.folder = scratch.path
        self.n_files = 0

    def serve(self, *options, **how):
        self.server = Server(self.folder, *options, **how)
        self.addCleanup(self.end)
        self.trusted = self.server.certificate()

    def end(self):
        """A sanitizer's findings are an exit status."""
        self.assertEqual(self.server.server.stop(), 0, self.server.server.output)

    def file(self, octets):
        self.n_files += 1
        path = os.path.join(self.folder, f"message{self.n_files}")
        with open(path, "wb") as f:
            f.write(octets)
        return path

    def card(self, *bodies, szx=SZX_1024, lost="-", path=PATH):
        """One DTLS session: codes with Max-Age, bodies, and the number of datagrams."""
        files = [self.file(body) for body in bodies]
        done = subprocess.run([CARD, str(self.server.coap_port), self.trusted, path, szx, lost,
                               *files], capture_output=True, text=True, check=False,
                              timeout=5 * DEADLINE)
        if done.returncode != 0:
            raise AssertionError(f"coap_card: {done.returncode} {done.stdout}{done.stderr}\n"
                                 f"{self.server.server.output}")
        *codes, datagrams = done.stdout.split("\n")[:-1]
        answers = []
        for name in files:
            with open(name + ".answer", "rb") as f:
                answers.append(f.read())
        return codes, answers, int(datagrams)

    def one(self, body, **how):
        (code,), (answer,), _ = self.card(body, **how)
        return code.split()[0], answer

    def queue_large(self, size):
        """A package longer than this; queue takes none that long, so its file is changed."""
        self.server.do("device", EID)
        number = self.server.queue("rat")
        order = tlv("A0", padding(size))
        self.server.change("UPDATE work SET work_order = ? WHERE number = ?", order, number)

    def requests(self, code):
        """The messages that got this code, by the log; a line is written before the answer."""
        return [line for line in self.server.log() if line.get("coap") == code]

    # --- the card's client -----------------------------------------------------------------------

    def test_a_poll_without_a_package(self):
        self.serve()
        code, answer = self.one(poll_message())
        self.assertEqual(code, "2.05")
        self.assertEqual(answer, tlv("BF4F", tlv("02", b"\x01")))
        self.assertEqual(answer, self.server.https(poll_message()))
        wait_for(lambda: len(self.server.log()) >= 2, "two lines of log")
        over_coap, over_https = self.server.log()[:2]
        self.assertEqual(over_coap.pop("coap"), "2.05")
        self.assertEqual(over_https.pop("http"), 200)
        over_coap.pop("registered", None)
        over_https.pop("registered", None)
        self.assertEqual(over_coap, over_https)

    def test_a_large_message(self):
        self.serve()
        for szx in (SZX_1024, SZX_64):
            with self.subTest(szx=szx):
                code, answer = self.one(poll_message(padding(10000)), szx=szx)
                self.assertEqual((code, answer), ("2.05", tlv("BF4F", tlv("02", b"\x01"))))

    def test_a_large_result(self):
        self.serve()
        self.one(poll_message())
        result = tlv("BF54", padding(10000))
        message = tlv("BF50", tlv("5A", bytes.fromhex(EID)), result)
        code, answer = self.one(message)
        self.assertEqual(code[0], "2")
        self.assertEqual(self.server.ask("SELECT received FROM result"), result)
        self.assertEqual(answer, self.server.https(message))

    def test_a_large_package(self):
        self.serve()
        self.queue_large(40000)
        code, answer = self.one(poll_message(padding(3000)))
        self.assertEqual(code, "2.05")
        self.assertGreater(len(answer), 40000)
        self.assertEqual(self.one(poll_message(), szx=SZX_64)[1], answer)
        self.assertEqual(answer, self.server.https(poll_message()))

    def test_blocks_at_their_bounds(self):
        self.serve()
        for size in (1023, 1024, 1025, 2048, 2049):
            with self.subTest(size=size):
                message = poll_message()
                body = poll_message(tlv("9F7F", bytes(size - len(message) - 11)))
                self.assertEqual(len(body), size)
                self.assertEqual(self.one(body)[0], "2.05")

    def test_messages_in_one_session(self):
        self.serve()
        codes, answers, _ = self.card(poll_message(), b"\x00", poll_message(padding(2000)))
        self.assertEqual([code.split()[0] for code in codes], ["2.05", "4.00", "2.05"])
        self.assertEqual(answers[0], answers[2])

    def test_lost_datagrams_are_repeated(self):
        """Each datagram of a session once; the eIM sees the message once all the same."""
        self.serve()
        body = poll_message(padding(2500))
        for _ in range(20):
            self.queue_large(3000)
        codes, answers, datagrams = self.card(body)
        self.assertGreater(datagrams, 15)
        for lost in range(datagrams - 1):  # the last one is close_notify
            with self.subTest(lost=lost):
                code, answer = self.one(body, lost=str(lost))
                self.assertEqual(code, "2.05")
                self.assertEqual(len(answer), len(answers[0]))
        self.server.stop_serving()
        self.assertEqual(len(self.requests("2.05")), datagrams)

    def test_refusals(self):
        self.serve()
        self.assertEqual(self.one(b"\x00"), ("4.00", b"not an ESipa message"))
        self.assertEqual(self.one(padding(3000))[0], "4.00")
        self.assertEqual(self.one(poll_message(), path="gsma/rsp2/none")[0], "4.04")
        code, answer = self.one(bytes(BOUND + 1))
        self.assertEqual((code, answer), ("4.13", b"the body is too large"))
        self.assertEqual(self.one(poll_message())[0], "2.05")

    def test_an_eim_that_cannot_answer_now(self):
        self.serve()
        self.server.change("ALTER TABLE device RENAME TO away")
        codes, answers, _ = self.card(poll_message())
        self.assertEqual((codes, answers), (["5.03 30"], [b"the eIM cannot answer now"]))
        self.server.change("ALTER TABLE away RENAME TO device")
        self.assertEqual(self.one(poll_message())[0], "2.05")

    def test_another_path_and_the_other_curve(self):
        self.serve("--curve", "brp", more=("--coap-path", "/esipa"))
        self.assertEqual(self.one(poll_message(), path="esipa")[0], "2.05")
        self.assertEqual(self.one(poll_message())[0], "4.04")

    def test_ports(self):
        port = free_port()
        self.serve(coap="--coap")
        self.assertEqual(self.server.coap, self.server.address)
        self.assertEqual(self.one(poll_message())[0], "2.05")
        db = self.server.db
        for options, why in (
                (["--coap", str(self.server.coap_port)],
                 f"cannot listen on 127.0.0.1 UDP port {self.server.coap_port}: Address already"),
                (["--coap=x"], "--coap: not x"), (["--coap-path", "/x"], "without --coap")):
            _, says = lab("eim", "serve", db, "--port", "0", *options, status=1)
            self.assertIn(why, says)
        other = Process([LAB, "eim", "serve", db, "--port=0", "--coap",
                         str(port)])
        self.addCleanup(other.stop)
        other.says(f"coaps at 127.0.0.1:{port}\n")

    def test_it_ends_while_sessions_are_open(self):
        """They are no reason to stay, or to leak; neither is what is no DTLS."""
        self.serve()
        *_, datagrams = self.card(poll_message(padding(2000)))
        self.card(poll_message(padding(2000)), lost=str(datagrams - 1))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"\x16\xfe\xfd" + bytes(30), ("127.0.0.1", self.server.coap_port))
        self.end()

    # --- messages as they are --------------------------------------------------------------------

    def exchange(self, *messages):
        """The message that answers each, all in one session."""
        return self.card(*messages, szx="raw")[1]

    def test_blocks_that_do_not_fit_together(self):
        self.serve()
        body = poll_message()  # 21 octets
        first = {"block1": block(0, True), "tag": b"A"}
        for what, last, expected in (
                ("all is well", {"block1": block(1), "tag": b"A"}, "2.05"),
                ("another tag", {"block1": block(1), "tag": b"B"}, "4.08"),
                ("no tag", {"block1": block(1)}, "4.08"),
                ("one is missing", {"block1": block(2), "tag": b"A"}, "4.08"),
                ("a reserved size", {"block1": block(1, szx=7), "tag": b"A"}, "4.00"),
                ("a tag that is no tag", {"block1": block(1), "tag": b"A" * 9}, "0.00"),  # reset
                ("too short", {"block1": block(1, True), "tag": b"A"}, "4.00"),
                ("announced too large", {"block1": block(1), "tag": b"A",
                                         "size1": (BOUND + 1).to_bytes(4, "big")}, "4.13")):
            with self.subTest(what=what):
                answers = self.exchange(message(1, body[:16], **first),
                                        message(2, body[16:], **last))
                self.assertEqual([code_of(a) for a in answers], ["2.31", expected])
        answers = self.exchange(message(1, body[16:], block1=block(1)),
                                message(2, body[:16], block1=block(0, True)),
                                message(3, body[:16], block1=block(0, True), tag=b""),
                                message(4, body[16:], block1=block(1)),
                                message(5, body[16:], block1=block(1), tag=b""))
        self.assertEqual([code_of(a) for a in answers], ["4.08", "2.31", "2.31", "4.08", "2.05"])

    def test_blocks_of_answers(self):
        self.serve()
        self.queue_large(100)
        fetch = message(1, block2=block(1))
        answers = self.exchange(fetch, message(2, poll_message(), block2=block(0)),
                                message(3, block2=block(2)), message(4, block2=block(1)),
                                message(5, block2=block(1, szx=2)),
                                message(6, block2=block(4000)))
        self.assertEqual([code_of(a) for a in answers],
                         ["4.08", "2.05", "2.05", "2.05", "2.05", "4.00"])
        whole = self.server.https(poll_message())
        pieces = [answer.split(b"\xff", 1)[1] for answer in answers[1:5]]
        self.assertEqual(pieces, [whole[:16], whole[32:48], whole[16:32], whole[64:128]])

    def test_messages_that_come_again(self):
        self.serve()
        one, two = message(1, poll_message()), message(2, b"\x00")
        same_id = message(1, poll_message(), token=b"other")
        answers = self.exchange(one, one, two, one, two, same_id)
        self.assertEqual([code_of(a) for a in answers],
                         ["2.05", "2.05", "4.00", "0.00", "4.00", "2.05"])
        self.assertEqual(answers[0], answers[1])
        self.assertEqual(answers[3], b"\x60\x00\x00\x01")  # an acknowledgement, no more
        self.server.stop_serving()
        self.assertEqual(len(self.requests("2.05")), 2)
        self.assertEqual(len(self.requests("4.00")), 1)

    # --- libcoap's client ------------------------------------------------------------------------

    def client(self, *arguments, path=PATH):
        """coap-client-openssl: what it received, and what it complained of."""
        if not shutil.which(CLIENT):
            self.skipTest(f"no {CLIENT} (Debian: libcoap3-bin)")
        answer = os.path.join(self.folder, "answer")
        if os.path.exists(answer):
            os.remove(answer)
        done = subprocess.run([CLIENT, "-n", "-B", "20", "-o", answer, *arguments,
                               f"coaps://127.0.0.1:{self.server.coap_port}/{path}"],
                              capture_output=True, text=True, check=False, timeout=2 * DEADLINE)
        octets = b""
        if os.path.exists(answer):
            with open(answer, "rb") as f:
                octets = f.read()
        return octets, done.stdout + done.stderr

    def test_the_client_of_libcoap(self):
        self.serve()
        self.queue_large(40000)
        expected = self.server.https(poll_message())
        self.assertGreater(len(expected), 40000)
        large = self.file(poll_message(padding(10000)))
        self.assertEqual(self.client("-m", "post", "-f", large)[0], expected)
        small = self.file(poll_message())
        self.assertEqual(self.client("-m", "post", "-b", "128", "-f", small)[0], expected)

    def test_refusals_to_the_client_of_libcoap(self):
        self.serve()
        for method in ("get", "put", "delete", "fetch"):
            with self.subTest(method=method):
                self.assertIn("4.05", self.client("-m", method)[1])
        nonsense = self.file(b"\x30\x05")
        self.assertIn("4.00", self.client("-m", "post", "-f", nonsense)[1])
        self.assertIn("4.04", self.client("-m", "post", "-f", nonsense, path="none")[1])


if __name__ == "__main__":
    unittest.main()
