#!/usr/bin/python3
"""The command line as a contract: exit status, help, the pipe, the trace, the capture file.

usage: test_cli.py MAN_PAGE SETTINGS.md PROFILE       (and SOFTEUICC in the environment)
"""

import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import unittest

from programs import (EID, GET_EID, SELECT_ISDR, SOFTEUICC, Scratch, new_card, softeuicc)

COMMANDS = ("new", "run", "apdu", "show", "pki", "doctor")
MAN_PAGE = sys.argv.pop(1) if len(sys.argv) > 1 else None
SETTINGS = sys.argv.pop(1) if len(sys.argv) > 1 else None
PROFILE = sys.argv.pop(1) if len(sys.argv) > 1 else None

# The contents of a SubjectPublicKeyInfo, and of a least EimConfigurationData around it.
SPKI = ("301306072A8648CE3D020106082A8648CE3D03010703420004"
        "E4D8B6D33CC5ABB9E3BBF5E14A4CDFE5149D89C1B84C4FEB6A1DEDE7D76BB583"
        "F86E67CCB52EB18BE188EEFB8A8394F32B609E2E7B35F0BBAD8855CC40A02D45")
CONFIGURATION = "800465696D31830107A55BA059" + SPKI


def tlv(tag, contents):
    """Octets of a TLV; its contents are hex."""
    octets = bytes.fromhex(contents)
    n = len(octets)
    length = bytes((n,)) if n < 0x80 else bytes((0x81, n)) if n < 0x100 else \
        bytes((0x82,)) + n.to_bytes(2, "big")
    return bytes.fromhex(tag) + length + octets


class CliTest(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.remove)

    def path(self, name):
        return os.path.join(self.scratch.path, name)

    def refuses(self, status, *arguments, saying, stdin=""):
        """One line on standard error that says it, and the exit status."""
        done = softeuicc(*arguments, stdin=stdin)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(saying, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        return done

    def test_settings_document_is_what_help_prints(self):
        if SETTINGS is None:
            self.skipTest("no document given")
        text = softeuicc("new", "--help").stdout
        printed = re.findall(r"^  (\w+)=(.*)\n      (.*)$", text, re.MULTILINE)
        self.assertGreater(len(printed), 10)
        with open(SETTINGS, encoding="utf-8") as document:
            rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", document.read(), re.MULTILINE)
        self.assertEqual(rows, [(key, f"`{value}`" if value else "(empty)", meaning)
                                for key, value, meaning in printed])

    def test_help_and_version_everywhere(self):
        for words in ((), *((command,) for command in COMMANDS)):
            for option in ("--help", "--version"):
                done = softeuicc(*words, option)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertIn("softeuicc", done.stdout)
        self.assertTrue(all(c in softeuicc("--help").stdout for c in COMMANDS))

    def test_help_of_new_lists_the_settings(self):
        self.assertIn("strict_der=off", softeuicc("new", "--help").stdout)

    def test_wrong_usage_is_status_2_with_a_hint(self):
        for words in ((), ("nonsense",), ("new",), ("new", "a", "b"), ("run", "a", "--nonsense"),
                      ("run", "a", "--reader"), ("show", "a", "--json=1"), ("doctor", "a"),
                      ("run", "a", "--trace", "x", "--trace", "y"), ("new", "a", "--set", "iot"),
                      ("run", "a", "--reader", "h:1", "--listen", "h:1")):
            self.refuses(2, *words, saying="--help")

    def test_failure_is_status_1_with_a_reason(self):
        nowhere = self.path("nowhere/card")
        for words in (("new", nowhere), ("apdu", nowhere), ("show", nowhere), ("run", nowhere)):
            self.refuses(1, *words, saying="nowhere")
        card = new_card(self.scratch.path)
        self.refuses(1, "new", card, saying="exists")
        self.refuses(1, "run", card, "--reader", "nonsense", saying="HOST:PORT")
        self.refuses(1, "run", card, "--control", "x" * 200, saying="control")
        self.refuses(1, "apdu", card, "--trace", nowhere, saying="nowhere")
        self.refuses(1, "new", self.path("b"), "--profile", nowhere, saying="nowhere")

    def test_new_says_what_it_made_and_keeps_it_private(self):
        done = softeuicc("new", self.path("card"))
        self.assertEqual((done.returncode, done.stdout.count("\n")), (0, 1))
        self.assertEqual(os.stat(self.path("card")).st_mode & 0o777, 0o600)

    def eim(self, name, octets):
        """A file for --eim."""
        with open(self.path(name), "wb") as f:
            f.write(octets)
        return self.path(name)

    def test_eims_of_manufacture_are_shown(self):
        card = new_card(self.scratch.path,
                        "--eim", self.eim("one", tlv("30", CONFIGURATION + "81036C616E8401FF")),
                        "--eim", self.eim("two", tlv("BF57", tlv("A0", tlv(
                            "30", CONFIGURATION.replace("65696D31", "65696D32")).hex()).hex())))
        iot = json.loads(softeuicc("show", card, "--json").stdout)["iot"]
        self.assertEqual([(eim["id"], eim["type"], eim.get("fqdn"), eim.get("token"),
                           eim["counter"], eim["protocols"], eim["tls_trust"])
                          for eim in iot["eims"]],
                         [("eim1", "proprietary", "lan", 1, 7, ["proprietary"], "none"),
                          ("eim2", "proprietary", None, None, 7, ["proprietary"], "none")])
        key = hashlib.sha256(tlv("30", SPKI)).hexdigest().upper()
        self.assertEqual(iot["eims"][0]["key"],
                         {"kind": "public key", "curve": "P-256", "sha256": key})
        self.assertEqual((iot["package_results"], iot["immediate_enable"], iot["emergency"]),
                         ([], {"on": False}, False))
        text = softeuicc("show", card).stdout
        self.assertIn("eIMs           2\n  eim1 (proprietary) at lan, counter 7, token 1\n", text)
        self.assertIn(f"public key on P-256, SHA-256 {key}", text)
        done = softeuicc("apdu", card, stdin=f"{SELECT_ISDR}\n80E2910003BF550000\n")
        self.assertIn("65696D32", done.stdout)

    def test_the_state_of_the_ipae_is_shown(self):
        card = new_card(self.scratch.path, "--set", "ipae=on", "--eim",
                        self.eim("one", tlv("30", CONFIGURATION + "81036C616E")))
        shown = json.loads(softeuicc("show", card, "--json").stdout)["iot"]
        self.assertEqual(shown["ipae"], {"mode": "on", "waits_for": "a package",
                                         "deliveries_in_vain": 0, "fallbacks": 0})
        self.assertNotIn("failures", shown["eims"][0])
        softeuicc("apdu", card, stdin="8010000024" + 36 * "FF" + """
            8012000000
            801400000C810301050082028281830100
            8012000000
            801400000C810302250082028281830100
            8012000000
            801400001681030326018202828183010094084A09512430325781
            8012000000
            8014000017810304260082028281830100930900F110123401A2B3CF
            """)
        shown = json.loads(softeuicc("show", card, "--json").stdout)["iot"]
        self.assertEqual(shown["ipae"]["imei"], "490154203237518")
        self.assertEqual(shown["eims"][0]["failures"], 0)
        self.assertIn("\nIPAe           on; waits for a package; IMEI 490154203237518\n",
                      softeuicc("show", card).stdout)
        self.assertNotIn("ipae", json.loads(softeuicc(
            "show", new_card(self.scratch.path, name="b"), "--json").stdout)["iot"])

    def test_words_behind_a_profile(self):
        card = new_card(self.scratch.path, "--profile",
                        PROFILE + ",class=provisioning,fallback,enabled")
        shown = json.loads(softeuicc("show", card, "--json").stdout)
        self.assertEqual([(p["state"], p["class"]) for p in shown["profiles"]],
                         [("enabled", "provisioning")])
        self.assertEqual(shown["iot"]["fallback_profile"], shown["profiles"][0]["iccid"])
        for words, saying in ((",class=none", "a word behind it"), (",enabled,", None),
                              (",", None), (",ecall,fallback", "fallback attribute"),
                              (",fallback-allowed,ecall", None)):
            path = self.path("words" + words)
            if saying is None:
                self.assertEqual(softeuicc("new", path, "--profile", PROFILE + words).returncode, 0)
            else:
                self.refuses(1, "new", path, "--profile", PROFILE + words, saying=saying)
                self.assertFalse(os.path.exists(path))

    def test_a_bad_eim_leaves_no_card(self):
        good = tlv("30", CONFIGURATION)
        for name, octets, saying in (
                ("empty", b"", "is empty"),
                ("text", b"eim1", "not one whole TLV"),
                ("other", tlv("BF56", ""), "neither EimConfigurationData"),
                ("cut", good[:-1], "not one whole TLV"),
                ("none", tlv("BF57", "A000"), "list is empty"),
                ("nameless", tlv("30", CONFIGURATION[12:]), "eIM 1: eimId is missing"),
                ("keyless", tlv("30", CONFIGURATION[:18]), "eimPublicKeyData is missing"),
                ("token", tlv("30", CONFIGURATION + "840101"), "associationToken is not -1"),
                ("twice", tlv("BF57", tlv("A0", (good + good).hex()).hex()), "there already")):
            self.refuses(1, "new", self.path("b"), "--eim", self.eim(name, octets), saying=saying)
            self.assertFalse(os.path.exists(self.path("b")))
        one = self.eim("good", good)
        self.refuses(1, "new", self.path("b"), "--eim", one, "--eim", one, saying="eIM 2: ")
        self.refuses(1, "new", self.path("b"), "--set", "iot=off", "--eim", one, saying="iot")
        self.refuses(1, "new", self.path("b"), "--set", "max_eims=1", "--eim", one, "--eim",
                     self.eim("more", good.replace(b"eim1", b"eim2")), saying="max_eims")
        self.refuses(1, "new", self.path("b"), "--eim", self.path("nowhere"), saying="nowhere")
        self.refuses(1, "new", self.path("b"), "--eim", self.eim("large", bytes(300000)),
                     saying="too large")
        self.assertFalse(os.path.exists(self.path("b")))
        self.assertNotIn("iot", json.loads(softeuicc(
            "show", new_card(self.scratch.path, "--set", "iot=off"), "--json").stdout))

    def test_apdu_answers_line_by_line(self):
        card = new_card(self.scratch.path)
        done = softeuicc("apdu", card, stdin=f"""# a comment
            reset

            {SELECT_ISDR}  # the ISD-R
            80 {GET_EID[2:]} 00
            """)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 3)
        self.assertTrue(lines[0].startswith("3B"))
        self.assertTrue(lines[1].endswith("9000"))
        self.assertEqual(lines[2], f"BF3E125A10{EID}9000")

    def test_apdu_flushes_each_line_and_takes_a_last_line_without_an_end(self):
        card = new_card(self.scratch.path)
        with subprocess.Popen([SOFTEUICC, "apdu", card], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as pipe:
            pipe.stdin.write("reset\n")
            pipe.stdin.flush()
            self.assertTrue(pipe.stdout.readline().startswith("3B"))
            pipe.stdin.write("00A40000023F0000")
            pipe.stdin.close()
            self.assertEqual(len(pipe.stdout.readlines()), 1)
            self.assertEqual(pipe.wait(), 0)

    def test_apdu_stops_at_a_bad_line_and_names_it(self):
        card = new_card(self.scratch.path)
        for bad in ("00A4000", "hello", "00A4 0 000", "zz", "00" * 70000, "9" * 600000):
            done = self.refuses(1, "apdu", card, stdin=f"reset\n# fine\n{bad}\nreset\n",
                                saying="line 3: ")
            self.assertEqual(done.stdout.count("\n"), 1)

    def test_a_signal_ends_apdu_cleanly(self):
        card = new_card(self.scratch.path)
        with subprocess.Popen([SOFTEUICC, "apdu", card], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as pipe:
            pipe.stdin.write("reset\n")
            pipe.stdin.flush()
            pipe.stdout.readline()
            pipe.terminate()
            self.assertEqual(pipe.wait(), 0)
        self.assertFalse(os.path.exists(card + "-wal"))

    def test_a_seed_is_warned_about(self):
        done = softeuicc("apdu", new_card(self.scratch.path), "--seed", "1", stdin="reset\n")
        self.assertEqual(done.returncode, 0)
        self.assertIn("WARNING", done.stderr)

    def test_trace_is_text_without_times(self):
        card, traces = new_card(self.scratch.path), []
        for name in ("one", "two"):
            softeuicc("apdu", card, "--trace", self.path(name), stdin="reset\n00A40000023F0000\n")
            with open(self.path(name), encoding="utf-8") as trace:
                traces.append(trace.read())
        self.assertIn("> 00A40000023F0000\n", traces[0])
        self.assertRegex(traces[0], r"(?m)^< ([0-9A-F]{2})+ \(.+\)$")
        self.assertTrue(all(re.match(r"[<>!#]", line) for line in traces[0].splitlines()))
        self.assertEqual(*traces)
        done = softeuicc("apdu", card, "--trace", "-", stdin="00A40000023F0000\n")
        self.assertIn("> 00A40000023F0000", done.stderr)

    def test_pcap_holds_each_exchange_as_gsmtap(self):
        card, capture = new_card(self.scratch.path), self.path("capture")
        done = softeuicc("apdu", card, "--pcap", capture,
                         stdin=f"reset\n00A40000023F0000\n{SELECT_ISDR}\n")
        answers = [bytes.fromhex(line) for line in done.stdout.splitlines()[1:]]
        commands = [bytes.fromhex("00A40000023F0000"), bytes.fromhex(SELECT_ISDR)]
        with open(capture, "rb") as f:
            octets = f.read()
        self.assertEqual(struct.unpack("=IHHIIII", octets[:24]),
                         (0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        at = 24
        for command, answer in zip(commands, answers):
            _, _, kept, length = struct.unpack("=IIII", octets[at:at + 16])
            packet = octets[at + 16:at + 16 + kept]
            at += 16 + kept
            self.assertEqual((kept, struct.unpack(">H", packet[2:4])[0]), (length, length))
            words = struct.unpack(">10H", packet[:20])
            self.assertEqual(sum(words) % 0xFFFF, 0, "the IP header's checksum")
            self.assertEqual(struct.unpack(">HHH", packet[20:26]), (4729, 4729, length - 20))
            self.assertEqual(packet[28:31], bytes((2, 4, 4)))
            self.assertEqual(packet[44:], command + answer)
        self.assertEqual(at, len(octets))

    def test_doctor_without_pcscd_says_what_to_do(self):
        environment = {**os.environ, "PCSCLITE_CSOCK_NAME": self.path("nothing")}
        done = subprocess.run([SOFTEUICC, "doctor"], env=environment, capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("pcscd does not run", done.stdout)
        self.assertIn("unset the variable", done.stdout)

    @unittest.skipIf(MAN_PAGE is None, "no manual page given")
    def test_the_manual_page_has_the_commands_and_options_of_help(self):
        with open(MAN_PAGE, encoding="utf-8") as f:
            page = f.read()
        described = set(re.findall(r"(?m)^\.It Fl -([a-z]+)", page))
        helped = set()
        for command in COMMANDS:
            self.assertIn(f".It Cm {command}", page)
            text = softeuicc(command, "--help").stdout.split("options:")[1].split("\n\n")[0]
            helped |= set(re.findall(r"(?m)^  --([a-z]+)", text))
        self.assertEqual(described, helped - {"help", "version"})


if __name__ == "__main__":
    unittest.main()
