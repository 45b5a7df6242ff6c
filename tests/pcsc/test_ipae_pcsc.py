#!/usr/bin/python3
"""A card with an IPA of its own in a PC/SC reader, and beside it only softeuicc-lab terminal: the
story from the factory to the return from fallback, over HTTPS and over CoAP, with downloads through
the eIM and from the SM-DP+ itself.  Nobody but the terminal uses the reader.

What the terminal carried is looked at: it has to be TLS or DTLS from the first octet to the last,
and nothing of what was said may be readable.

SOFTEUICC and SOFTEUICC_LAB are the programs, SOFTEUICC_PROFILE is operational.der."""

import json
import os
import shutil
import struct
import subprocess
import sys
import unittest

from harness import Client, Pcscd, scard
from programs import EID, RunningCard, Scratch, new_card, skip

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))
from sgp32 import (FALLBACK, ICCIDS, OPERATIONAL, OTHER, PROFILES, Device, Eim,  # noqa: E402
                   SmDp, Terminal, free_port, source)

HOST = "localhost"      # every machine knows that name
DNS = "192.0.2.53"      # where the terminal's network has its DNS server
EIM_ID = "eim-of-this-story"
SKIPS_MAX = 12          # of the card's timers, until something is a failure
PCAP_HEADER, RECORD_HEADER = 24, 16
TCP, UDP = 6, 17
RECORD_TYPES = {20, 21, 22, 23}  # RFC 8446 5.1
APPLICATION_DATA, HANDSHAKE, CLIENT_HELLO = 23, 22, 1


def packets(path):
    """Of the terminal's pcap file: protocol, remote port, sent by the card, channel, payload."""
    with open(path, "rb") as f:
        data = f.read()[PCAP_HEADER:]
    while data:
        length = struct.unpack("=IIII", data[:RECORD_HEADER])[2]
        packet, data = data[RECORD_HEADER:RECORD_HEADER + length], data[RECORD_HEADER + length:]
        protocol, (source_port, port) = packet[9], struct.unpack(">HH", packet[20:24])
        sent = source_port > 49152
        header = 20 + (20 if protocol == TCP else 8)
        yield (protocol, port if sent else source_port, sent, source_port if sent else port,
               packet[header:])


def records(stream, datagram=False):
    """The records of TLS or DTLS that a stream or a datagram consists of: type and octets."""
    at, header = 0, 13 if datagram else 5
    while at < len(stream):
        kind, version = stream[at], stream[at + 1]
        (length,) = struct.unpack(">H", stream[at + header - 2:at + header])
        end = at + header + length
        if kind not in RECORD_TYPES or version != (0xFE if datagram else 3) or end > len(stream):
            raise AssertionError(f"no record at {at}: {stream[at:at + 40]}")
        yield kind, stream[at:end]
        at = end


class OnAir:
    """What the terminal carried."""

    def __init__(self, path):
        self.packets = list(packets(path))
        self.dns = [p[4] for p in self.packets if p[0] == UDP and p[1] == 53]
        self.records = []
        self.datagrams = [p for p in self.packets if p[0] == UDP and p[1] != 53]
        for packet in self.datagrams:
            self.records += records(packet[4], datagram=True)
        streams = {}
        for protocol, remote, sent, channel, payload in self.packets:
            if protocol == TCP:
                streams.setdefault((remote, sent, channel), bytearray()).extend(payload)
        self.streams = streams
        for stream in streams.values():
            self.records += records(bytes(stream))

    def octets(self, sent):
        return sum(len(p[4]) for p in self.packets if p[2] == sent)


def is_client_hello(record):
    """Which has the server's name in it."""
    at = 13 if record[1] == 0xFE else 5
    return record[0] == HANDSHAKE and record[at] == CLIENT_HELLO


def bcd(digits):
    """As an ICCID or an EID is encoded."""
    return bytes.fromhex(digits), bytes(int(b + a, 16) for a, b in zip(*[iter(digits)] * 2))


class Story(unittest.TestCase):
    """One card, its eIM, its SM-DP+, its terminal."""

    maxDiff = None

    def set_up(self, protocol, indirect):
        scratch = Scratch()
        self.addCleanup(scratch.remove)
        self.folder = scratch.path
        folder = os.path.join(self.folder, "profiles")
        os.mkdir(folder)
        for name in (OPERATIONAL, OTHER):
            shutil.copyfile(source(name), os.path.join(folder, name + ".der"))
        self.dp = SmDp(folder, "--host", HOST)
        self.addCleanup(self.dp.connection.close)
        self.addCleanup(self.dp.stop)
        self.eim = Eim(self.folder, EIM_ID, "--protocol", protocol, "--indirect", indirect,
                       at=f"{HOST}:{free_port()}")
        self.eim.serve("--register-any", *(["--coap"] if protocol == "coaps" else []))
        self.addCleanup(self.eim.stop)
        self.put_card_in()
        self.capture = os.path.join(self.folder, "bip.pcap")
        self.terminal = Terminal("--reader", "Virtual PCD 00 00", "--poll", "0",
                                 "--capture", self.capture)
        self.addCleanup(self.terminal.process.stdin.close)
        self.addCleanup(self.terminal.stop)
        self.numbers = []

    def put_card_in(self):
        bootstrap = os.path.join(PROFILES, FALLBACK + ".der")
        card = new_card(self.folder, "--set", "ipae=on", "--set", f"ipae_dns={DNS}",
                        "--eim", self.eim.initial,
                        "--profile", bootstrap + ",class=provisioning,fallback,enabled")
        self.device = Device(card)
        client = Client()
        self.addCleanup(client.close)
        client.wait_until(present=False)
        running = RunningCard(card, "--reader", f"127.0.0.1:{Story.pcscd.port}")
        self.addCleanup(running.stop)
        client.wait_until(present=True)

    # --- time ---

    def skip_until(self, condition, what):
        """From timer to timer of the card; each time it does what it wants to."""
        for _ in range(SKIPS_MAX):
            if condition():
                return
            self.terminal.rest("skip")
        self.fail(f"{what} does not come:\n{self.eim.server.output}\n"
                  f"{self.terminal.output[-4000:]}")

    def done(self, *operation):
        """Queues it and lets the card ask; the results."""
        number = self.eim.queue(*operation)
        self.numbers.append(number)
        self.skip_until(lambda: self.eim.work(number)["state"] not in ("queued", "out"),
                        " ".join(operation))
        return self.eim.results(number)

    # --- what has to be true ---

    def assert_enabled(self, name):
        states = {p["iccid"]: p["state"] for p in self.device.show()["profiles"]}
        self.assertEqual([iccid for iccid, state in states.items() if state == "enabled"],
                         [ICCIDS[name]])

    def is_enabled(self, name):
        return {"iccid": ICCIDS[name], "state": "enabled"} in [
            {"iccid": p["iccid"], "state": p["state"]} for p in self.device.show()["profiles"]]

    def changes(self):
        """What the card told its eIM of by itself."""
        return [line["stateChange"]["stateChangeCause"] for line in self.eim.log()
                if "stateChange" in line]

    def assert_nothing_pending(self):
        shown = self.device.show()
        self.assertEqual((shown["notifications_pending"], shown["iot"]["package_results"]), (0, []))

    # --- the steps ---

    def finds_its_eim(self):
        self.terminal.rest()
        self.skip_until(lambda: "noEimPackageAvailable" in self.eim.server.output, "the first poll")
        (device,) = json.loads(self.eim.do("show", EID, "--json"))["devices"]
        self.assertTrue(device["certificate"])
        self.assertEqual(device["associationToken"], 1)
        self.assert_enabled(FALLBACK)

    def download(self, name, *how):
        (result,) = self.done("download", self.dp.code(name), *how)
        self.assertEqual((result["iccid"], result["success"], result["notificationVerified"]),
                         (ICCIDS[name], True, True))
        self.assertIn(ICCIDS[name], [p["iccid"] for p in self.device.show()["profiles"]])
        self.assert_enabled(FALLBACK)
        self.assert_nothing_pending()

    def enable(self, name):
        (result,) = self.done("enable", ICCIDS[name], "rollback")
        self.assertTrue(result["verified"] and result["schema"] and result["seqNumberIsNew"])
        self.assertEqual([(r["operation"], r["code"]) for r in result["results"]], [("enable", 0)])
        self.assertEqual(len(self.terminal.commands("REFRESH")), 1)
        self.assert_enabled(name)
        self.assert_nothing_pending()

    def loses_the_network(self):
        self.terminal.rest("location none")
        self.skip_until(lambda: self.is_enabled(FALLBACK), "the fallback")
        self.assertEqual(self.changes(), [])
        self.terminal.rest("location normal")
        self.skip_until(lambda: "fallback" in self.changes(), "word of the fallback")
        self.assert_nothing_pending()

    def comes_back(self, name):
        self.skip_until(lambda: self.is_enabled(name), "the return")
        self.skip_until(lambda: len(self.changes()) == 2, "word of the return")
        self.assertEqual(self.changes(), ["fallback", "fallback"])
        self.assertEqual(len(self.terminal.commands("REFRESH")), 3)
        (result,) = self.done("list")
        self.assertTrue(result["verified"])
        self.assertEqual({p["iccid"]: p["profileState"] for p in result["results"][0]["profiles"]},
                         {p["iccid"]: p["state"] for p in self.device.show()["profiles"]})
        self.assert_nothing_pending()

    # --- the air ---

    def listen_in(self, server_is_udp):
        """The terminal has carried TLS, all of it, and cannot read what was said."""
        counts = self.terminal.rest()
        self.assertEqual(self.terminal.stop(), 0)
        air = OnAir(self.capture)
        told = counts["phases"][0]
        self.assertEqual((told["sent"], told["received"]), (air.octets(True), air.octets(False)))
        self.assertGreater(told["sent"], 5000)
        self.assertEqual(bool(air.datagrams), server_is_udp)
        protected = sum(len(record) for kind, record in air.records if kind == APPLICATION_DATA)
        self.assertGreater(protected, 20000)
        dns = b"\x09localhost\x00"
        self.assertTrue(air.dns and all(dns in message for message in air.dns))
        self.assert_unreadable(air)
        if shutil.which("tshark"):
            self.assert_others_see_the_same(server_is_udp)

    def assert_others_see_the_same(self, server_is_udp):
        done = subprocess.run(["tshark", "-r", self.capture, "-T", "fields", "-e",
                               "frame.protocols"], capture_output=True, text=True, check=True)
        seen = {":".join(packet.split(":")[2:4]) for packet in done.stdout.split()}
        self.assertIn("udp:dtls" if server_is_udp else "tcp:tls", seen)
        self.assertLessEqual(seen, {"tcp", "tcp:tls", "udp:dtls", "udp:dns"})

    def assert_unreadable(self, air):
        wholes = [bytes(s) for s in air.streams.values()] + [p[4] for p in air.datagrams]
        secrets = [EIM_ID.encode(), self.dp.address.encode(), b"gsma/rsp2", b"X-Admin-Protocol",
                   b"HTTP/1.1", b"application/", *bcd(EID), b"softeuicc operational"]
        for name in (OPERATIONAL, OTHER):
            secrets += bcd(ICCIDS[name] + "F")
        for result in self.eim.results(self.numbers[-1]):
            secrets.append(bytes.fromhex(result["eimTransactionId"]))
        with open(source(OPERATIONAL), "rb") as f:
            secrets.append(f.read()[100:132])
        for secret in secrets:
            self.assertFalse([w for w in wholes if secret in w], secret)
        named = [record for _, record in air.records if HOST.encode() in record]
        self.assertTrue([record for record in named if is_client_hello(record)])
        for record in named:  # before TLS 1.3 a server shows its certificate to everybody
            self.assertTrue(is_client_hello(record) or record[0] == HANDSHAKE and air.datagrams)


class WholeStory(Story):
    def test_over_https_with_a_download_through_the_eim(self):
        self.set_up("https", "yes")
        self.finds_its_eim()
        self.download(OPERATIONAL, "indirect")
        self.enable(OPERATIONAL)
        self.loses_the_network()
        self.comes_back(OPERATIONAL)
        self.listen_in(server_is_udp=False)

    def test_over_coap_with_a_download_from_the_smdp(self):
        self.set_up("coaps", "no")
        self.finds_its_eim()
        self.download(OPERATIONAL)
        self.enable(OPERATIONAL)
        self.loses_the_network()
        self.comes_back(OPERATIONAL)
        self.listen_in(server_is_udp=True)

    def test_other_ways_to_download(self):
        for protocol, indirect, how in (("https", "no", []), ("coaps", "yes", ["indirect"])):
            with self.subTest(protocol=protocol):
                self.set_up(protocol, indirect)
                self.finds_its_eim()
                self.download(OTHER, *how)
                self.doCleanups()


def setUpModule():
    scratch = Scratch()
    unittest.addModuleCleanup(scratch.remove)
    Story.pcscd = Pcscd(scratch.path)
    Story.pcscd.start()
    unittest.addModuleCleanup(Story.pcscd.stop)


if __name__ == "__main__":
    if scard is None:
        skip("pyscard (package python3-pyscard) is not installed")
    unittest.main()
