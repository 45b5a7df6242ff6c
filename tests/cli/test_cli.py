#!/usr/bin/python3
"""The command line as a contract: exit status, help, the pipe, the trace, the capture file.

usage: test_cli.py MAN_PAGE SETTINGS.md PROFILE CONTROL.md PRESETS.md
(and SOFTEUICC in the environment)
"""

import ctypes.util
import hashlib
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time
import unittest

from programs import (DEADLINE, EID, GET_EID, SELECT_ISDR, SOFTEUICC, Scratch, new_card, softeuicc)

COMMANDS = ("new", "run", "apdu", "show", "pki", "doctor")
MAN_PAGE = sys.argv.pop(1) if len(sys.argv) > 1 else None
SETTINGS = sys.argv.pop(1) if len(sys.argv) > 1 else None
PROFILE = sys.argv.pop(1) if len(sys.argv) > 1 else None
CONTROL = sys.argv.pop(1) if len(sys.argv) > 1 else None
PRESETS = sys.argv.pop(1) if len(sys.argv) > 1 else None

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
        # With a seed: the wait before the first poll is at random, and may be none.
        softeuicc("apdu", card, "--seed", "1", stdin="8010000024" + 36 * "FF" + """
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
        for bad in ("00A4000", "00A4\0" "0000", "hello", "00A4 0 000", "zz", "00" * 70000, "9" * 600000):
            done = self.refuses(1, "apdu", card, stdin=f"reset\n# fine\n{bad}\nreset\n",
                                saying="line 3: ")
            self.assertEqual(done.stdout.count("\n"), 1)

    def shell(self, line, *arguments):
        """A line for sh, in which $0 is softeuicc and $1... are the arguments."""
        return subprocess.run(["sh", "-c", line, SOFTEUICC, *arguments], capture_output=True,
                              text=True, timeout=DEADLINE, check=False)

    def test_standard_descriptors_that_are_closed_are_an_error(self):
        card, trace = new_card(self.scratch.path), self.path("trace")
        for line, saying in (('"$0" apdu "$1" --trace "$2" <&-', "standard input"),
                             ('echo reset | "$0" apdu "$1" --trace "$2" >&-', "standard output"),
                             ('"$0" show "$1" >&-', "standard output"),
                             ('"$0" --version >&-', "standard output")):
            done = self.shell(line, card, trace)
            self.assertEqual(done.returncode, 1, line)
            self.assertIn(f"{saying}: Bad file descriptor", done.stderr)
        with open(trace, encoding="utf-8") as f:
            self.assertTrue(all(re.match(r"[<>!#*=%~@] ", text) for text in f))
        done = self.shell('echo reset | "$0" apdu "$1" --trace - 2>&-', card)
        self.assertEqual((done.returncode, done.stdout[:2]), (0, "3B"))

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full")
    def test_output_that_is_lost_is_an_error(self):
        card = new_card(self.scratch.path)
        for n, line in enumerate(('"$0" --help >/dev/full', '"$0" new --help >/dev/full',
                                  '"$0" show "$1" >/dev/full', '"$0" new "$2" >/dev/full',
                                  '"$0" pki "$2" >/dev/full',
                                  'echo reset | "$0" apdu "$1" >/dev/full',
                                  'echo reset | "$0" apdu "$1" --trace /dev/full',
                                  'echo reset | "$0" apdu "$1" --pcap /dev/full')):
            done = self.shell(line, card, self.path(f"made-{n}"))
            self.assertEqual(done.returncode, 1, line)
            self.assertRegex(done.stderr, "^softeuicc.*: (No space left on device|"
                             "not all of it could be written)\n$", line)

    def test_a_card_with_a_seed_can_be_made_again(self):
        shown = []
        for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
            card = new_card(self.scratch.path, "--eid", "random", "--seed", seed, name=name)
            done = softeuicc("apdu", card, stdin=f"{SELECT_ISDR}\n80E2910003BF5600\n"
                             + "00C0000000\n" * 4)
            shown.append((softeuicc("show", card).stdout, done.stdout))
        self.assertEqual(shown[0], shown[1])
        self.assertNotEqual(shown[0][0], shown[2][0])
        self.assertNotEqual(shown[0][1], shown[2][1])  # the certificate, and so the key

    @unittest.skipIf(PROFILE is None, "no profile given")
    def test_show_says_what_is_damaged(self):
        card, key = new_card(self.scratch.path, "--profile", PROFILE), b"isdp/0010/tree"
        with open(card, "r+b") as f:
            octets = f.read()
            self.assertEqual(octets.count(key), 1)
            f.seek(octets.index(key) + len(key))
            f.write(b"\xFF" * 4)
        for option in ((), ("--json",)):
            self.refuses(1, "show", card, *option, saying=f"{key.decode()} is damaged")

    def test_wrong_check_digits_of_an_eid_are_told(self):
        self.refuses(1, "new", self.path("b"), "--eid", EID[:-2] + "00", saying=f"be {EID[-2:]}")
        for eid in ("", "1", EID + "0", EID[:-1] + "x"):
            self.refuses(1, "new", self.path("b"), "--eid", eid, saying="32 digits")

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
        self.assertIn("> 00A40000023F0000 (SELECT)\n", traces[0])
        self.assertRegex(traces[0], r"(?m)^< ([0-9A-F]{2})+ \(.+\)$")
        self.assertTrue(all(re.match(r"[<>!#*=%~@]", line) for line in traces[0].splitlines()))
        self.assertEqual(*traces)
        done = softeuicc("apdu", card, "--trace", "-", stdin="00A40000023F0000\n")
        self.assertIn("> 00A40000023F0000", done.stderr)

    def events(self, card, stdin, *arguments):
        """The trace as JSON, and what was answered."""
        done = softeuicc("apdu", card, "--trace", self.path("trace.jsonl"), *arguments,
                         stdin=stdin)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.path("trace.jsonl"), encoding="utf-8") as trace:
            return [json.loads(line) for line in trace], done.stdout.splitlines()

    def test_trace_as_json_has_an_object_a_line(self):
        card = new_card(self.scratch.path, "--preset", "sgp33-eim")
        enable = "80E2910014BF3111A00C5A0A989209012143658709F58101FF00"
        events, _ = self.events(card, f"8010000003FFFFFF\n{SELECT_ISDR}\n{GET_EID}00\n{enable}\n"
                                "801200000B\n80E2910003BF310000\n80E2910003BF990000\n".replace(
                                    GET_EID, "80" + GET_EID[2:]))
        by = {kind: [e for e in events if e["event"] == kind] for kind in
              ("command", "response", "request", "answer", "commit", "proactive", "check")}
        self.assertEqual([e["name"] for e in by["command"]],
                         ["TERMINAL PROFILE", "SELECT", "STORE DATA", "STORE DATA", "FETCH",
                          "STORE DATA", "STORE DATA"])
        self.assertEqual(by["response"][2], {
            "event": "response", "sw": "9000", "text": "normal ending",
            "bytes": f"BF3E125A10{EID}9000"})
        self.assertEqual(by["answer"][0], {
            "event": "answer", "name": "GetEID", "decoded": [
                {"tag": "BF3E", "name": "getEuiccData",
                 "in": [{"tag": "5A", "name": "eidValue", "value": EID}]}]})
        self.assertEqual(by["request"][1]["decoded"][0]["in"][1],
                         {"tag": "81", "name": "refreshFlag", "value": "FF"})
        self.assertEqual(by["answer"][1]["decoded"][0]["in"],
                         [{"tag": "80", "name": "enableResult", "value": "00"}])
        self.assertGreaterEqual(len(by["commit"]), 1)
        self.assertRegex(by["commit"][0]["text"], r"^\d+ writes?$")
        self.assertEqual([(e["name"], e["decoded"][0]["name"]) for e in by["proactive"]],
                         [("REFRESH", "proactiveCommand")])
        self.assertEqual([(e.get("name"), e.get("clause")) for e in by["check"]],
                         [("EnableProfile", "SGP.22 5.7.16"), (None, "SGP.22 5.7.2")])

    def test_trace_format_wins_over_the_name(self):
        card = new_card(self.scratch.path)
        done = softeuicc("apdu", card, "--trace", "-", "--trace-format", "json", stdin="reset\n")
        self.assertTrue(all(json.loads(line)["event"] for line in done.stderr.splitlines()))
        softeuicc("apdu", card, "--trace", self.path("a.jsonl"), "--trace-format", "text",
                  stdin="reset\n")
        with open(self.path("a.jsonl"), encoding="utf-8") as trace:
            self.assertTrue(trace.read().startswith("# power on\n"))
        self.refuses(2, "apdu", card, "--trace", "-", "--trace-format", "xml", saying="xml")
        self.refuses(2, "apdu", card, "--trace-format", "json", saying="--trace")

    def test_a_trace_holds_no_secrets_unless_asked_for(self):
        card = new_card(self.scratch.path, "--preset", "sgp23-enabled")
        select_usim = "00A404000CA0000000871002FF49FF018900"
        pin, keys = "3035393138323736", "11" * 33
        auth = ("00880081221023553CBE9637A89D218AE64DAE47BF35"  # TS 35.208 4.3, set 1
                "1055F328B43577B9B94A9FFAC354DFAFB3")
        put = "112233445566778899AABBCCDDEEFF00"
        context = "22" * 57
        stdin = (f"00200001 08{pin}\n002000 0A083535353535353535\n002400 01 10{pin}{pin}\n"
                 f"002C0001 10{pin}{pin}\n002600 01 08{pin}\n00200001 07{pin}\nFF200001 08{pin}\n"
                 f"80D80081 17 30 8810{put} 03010203\n{select_usim}\n00A40000026F08\n"
                 f"00D6000021{keys}\n00B0000021\n00D6880021{keys}\n00D6880020{keys}\n"
                 f"00DC01C439{context}\n00A220C43A01{context}\n"
                 f"{auth}\n00C0000000\n{auth}\n00D600000512\n0020000108313233\n00C0000000\n"
                 f"{auth}00\n")
        answers = softeuicc("apdu", card, stdin=stdin).stdout.splitlines()
        for n in (-1, -2, -6):
            self.assertRegex(answers[n], "^D[BC].{28,}9000$")
        secret = (pin, "3535353535353535", keys, put, context[:40], answers[-6][:-4],
                  answers[-2][:-4], answers[-1][:-4])
        for format_ in ("text", "json"):
            done = softeuicc("apdu", card, "--trace", self.path("trace"), "--trace-format",
                             format_, "--pcap", self.path("capture"), stdin=stdin)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(keys + "9000", done.stdout)
            with open(self.path("trace"), encoding="utf-8") as trace:
                text = trace.read()
            self.assertIn("secrets are FF", text)
            self.assertIn("FFFFFFFF9000", text)
            with open(self.path("capture"), "rb") as capture:
                octets = capture.read().hex().upper()
            for s in secret:
                self.assertNotIn(s, text)
                self.assertNotIn(s, octets)
            done = softeuicc("apdu", card, "--trace", self.path("trace"), "--trace-format",
                             format_, "--pcap", self.path("capture"), "--trace-secrets",
                             stdin=stdin)
            answers = done.stdout.splitlines()
            with open(self.path("trace"), encoding="utf-8") as trace:
                text = trace.read()
            with open(self.path("capture"), "rb") as capture:
                octets = capture.read().hex().upper()
            self.assertNotIn("secrets are FF", text)
            for s in (*secret[:5], answers[-6][:-4], answers[-2][:-4], answers[-1][:-4]):
                self.assertIn(s, text)
                self.assertIn(s, octets)

    def test_faults_of_the_command_line(self):
        card = new_card(self.scratch.path, "--preset", "sgp23")
        stdin = f"{SELECT_ISDR}\n80{GET_EID[2:]}00\n80{GET_EID[2:]}00\n"
        events, answers = self.events(card, stdin, "--fault", "sw 80E2 6A80 1", "--fault",
                                      "corrupt 80E2 -1")
        self.assertEqual([answer[-4:] for answer in answers], ["9000", "6A80", "90FF"])
        self.assertEqual([e["text"] for e in events if e["event"] == "rule"],
                         ["sw 80E2 6A80 1: set", "corrupt 80E2 -1: set", "sw 80E2 6A80 1: acts",
                          "corrupt 80E2 -1: acts", "octet 22 goes out as FF, not 00"])
        before = time.monotonic()
        softeuicc("apdu", card, "--fault", "delay 00A4 300", stdin=stdin)
        self.assertGreaterEqual(time.monotonic() - before, 0.3)
        done = softeuicc("apdu", card, "--fault", "mute 80E2 1", stdin=stdin)
        self.assertEqual(done.stdout.splitlines()[1], "")
        done = softeuicc("apdu", card, "--fault", "cut-at commit", stdin=f"{SELECT_ISDR}\n"
                         "80E2910009BF3F0680046465667800\n")
        self.assertEqual(done.stdout.splitlines()[1], "")
        done = softeuicc("apdu", card, "--fault", "cut-after 0", stdin=f"{SELECT_ISDR}\n"
                         f"80E2910009BF3F0680046465667800\n{SELECT_ISDR}\n")
        self.assertEqual([answer[-4:] for answer in done.stdout.splitlines()], ["9000", "", "9000"])
        events, _ = self.events(card, stdin)
        self.assertEqual([e for e in events if e["event"] == "rule"], [])
        self.refuses(2, "apdu", card, "--fault", "sw 80E2", saying="sw MATCH SW [COUNT]")
        self.refuses(2, "apdu", card, "--fault", "reset", saying="no fault")
        self.refuses(2, "run", card, "--fault", "nonsense", saying="no fault")

    def test_faults_that_last(self):
        disable = f"801000000EFFFFFFFFFFFFFFFFFFFFFFFFFFFF\n{SELECT_ISDR}\n80E2910003BF220000\n" \
            "80E2910014BF3211A00C5A0A989209012143658709F58101FF00\n"
        create = "00A40004023F0000\n0020000A083535353535353535\n" \
            "00E0000018 6216 82024121 83026F11 8A0105 8B032F060A 80020004 8800\n"
        def run(*rules):
            card = new_card(self.scratch.path, "--preset", "sgp23-enabled", name=f"with {rules}")
            faults = [word for rule in rules for word in ("--fault", rule)]
            events, answers = self.events(card, create + disable, *faults)
            return {e["text"] for e in events if e["event"] == "rule"}, answers
        said, answers = run("full-memory on")
        self.assertEqual(said, {"full-memory on: set", "full-memory on: nothing is free"})
        self.assertEqual(answers[2], "6A84")
        self.assertIn("820400000000", answers[5])
        said, answers = run("cat-busy on", "clock 86400")
        self.assertEqual(said, {"cat-busy on: set", "clock 86400: set",
                                "cat-busy on: a proactive session is said to go on"})
        self.assertEqual(answers[6], "BF32038001059000")
        said, answers = run()
        self.assertEqual(said, set())
        self.assertEqual(answers[2], "9000")
        self.assertNotIn("820400000000", answers[5])
        self.assertEqual(answers[6], "BF3203800100910B")

    def test_control_document_is_what_help_prints(self):
        if CONTROL is None:
            self.skipTest("no document given")
        def rows(command):
            text = softeuicc(command, "--help").stdout.split("\nlines of the control socket")[-1]
            return re.findall(r"^  ([a-z]\S*(?: [^ ]+)*) {2,}(\S.*)$", text, re.MULTILINE)
        with open(CONTROL, encoding="utf-8") as document:
            written = re.findall(r"^\| `(.+?)` \| (.*?) \| .* \|$", document.read(), re.MULTILINE)
        written = [(line.replace("\\|", "|"), meaning) for line, meaning in written]
        self.assertGreater(len(written), 10)
        self.assertEqual(written, rows("run"))
        self.assertEqual(written[-9:], rows("apdu")[-9:])

    def test_every_preset_makes_a_card_and_is_documented(self):
        text = softeuicc("new", "--help").stdout.split("\npresets for --preset:\n")[1]
        rows = re.findall(r"^  (\S+) +(.*)$", text.split("\n\n", maxsplit=1)[0], re.MULTILINE)
        self.assertGreater(len(rows), 10)
        if PRESETS is not None:
            with open(PRESETS, encoding="utf-8") as document:
                written = document.read().split("## Words", maxsplit=1)[0]
            self.assertEqual(re.findall(r"^\| `(.+?)` \| (.*) \|$", written, re.MULTILINE), rows)
        for name, _ in rows:
            card = new_card(self.scratch.path, "--preset", name, name=name)
            shown = json.loads(softeuicc("show", card, "--json").stdout)
            self.assertEqual(shown["eid"], EID)
            self.assertEqual("iot" in shown, name.startswith("sgp33"))
            eims = [eim["id"] for eim in shown["iot"]["eims"]] if "iot" in shown else []
            self.assertEqual(eims, ["testeim1"] if name.startswith("sgp33-") else [])
        self.refuses(1, "new", self.path("x"), "--preset", "nothing", saying="no preset nothing")
        self.assertFalse(os.path.exists(self.path("x")))

    def shown(self, *preset):
        card = new_card(self.scratch.path, "--preset", *preset, name=f"shown-{preset[0]}")
        return json.loads(softeuicc("show", card, "--json").stdout)

    def test_what_sets_presets_apart(self):
        first = [p["ppr1"] for p in self.shown("sgp23-ppr1")["profiles"]]
        second = [p["ppr2"] for p in self.shown("sgp23-ppr2")["profiles"]]
        self.assertEqual((first, second), ([True, False], [True, False]))
        self.assertEqual([p["class"] for p in self.shown("sgp23-test")["profiles"]],
                         ["operational", "test"])
        self.assertEqual(self.shown("sgp23-no-memory")["settings"]["max_profiles"], "1")
        self.assertEqual(self.shown("sgp23-no-rat")["settings"]["rat"], "")
        self.assertEqual(self.shown("sgp33-fallback")["iot"]["fallback_profile"],
                         "8929901012345678913")
        eim = self.shown("sgp33-enabled")["iot"]["eims"][0]
        self.assertEqual((eim["fqdn"], eim["counter"]), ("eim.example.com", 0))
        self.assertEqual(self.shown("sgp33-ipae")["settings"]["ipae"], "on")
        eim, = self.shown("sgp33-eim")["iot"]["eims"]
        self.assertEqual((eim["id"], eim["type"]), ("testeim1", "proprietary"))
        card = new_card(self.scratch.path, "--preset", "sgp33-emergency", name="emergency")
        done = softeuicc("apdu", card, stdin=f"{SELECT_ISDR}\n80E2910006BF5B0380010000\n")
        self.assertTrue(done.stdout.splitlines()[1].startswith("BF5B03800100"), done.stdout)

    def test_words_behind_a_preset(self):
        profiles = self.shown("sgp23-two,nickname=me,name=Mine")["profiles"]
        self.assertEqual([(p["nickname"], p["name"]) for p in profiles],
                         [("me", "Mine"), ("", "Operational Profile Name 2")])
        for order, why in (("sgp23-empty,nickname=me", "has no profile"),
                           ("sgp23,nicknames=me", "a word behind it"),
                           ("sgp,nickname=me", "no preset sgp")):
            self.refuses(1, "new", self.path("x"), "--preset", order, saying=why)
            self.assertFalse(os.path.exists(self.path("x")))

    def test_what_is_in_a_preset(self):
        def profiles(preset, *arguments, name=None):
            name = name or preset
            card = new_card(self.scratch.path, "--preset", preset, *arguments, name=name)
            shown = json.loads(softeuicc("show", card, "--json").stdout)
            return card, [(p["iccid"], p["state"], p["name"], p["class"])
                          for p in shown["profiles"]]
        op1 = ("8929901012345678905", "disabled", "Operational Profile Name 1", "operational")
        card, got = profiles("sgp23")
        self.assertEqual(got, [op1])
        done = softeuicc("apdu", card, stdin=f"{SELECT_ISDR}\n80E2910003BF3C0000\n")
        self.assertIn(b"testsmdpplus1.example.com".hex().upper(), done.stdout)
        self.assertIn(b"testrootsmds.example.com".hex().upper(), done.stdout)
        one, two, three = "8929901012345678905", "8929901012345678913", "8929901012345678921"
        tuak = "8900010000000000118"
        for name, wanted in (
                ("sgp23-empty", []), ("sgp23-enabled", [(one, True)]),
                ("sgp23-two", [(one, True), (two, False)]),
                ("sgp23-three", [(one, True), (two, False), (three, False)]),
                ("sgp23-ppr1", [(one, True), (two, False)]),
                ("sgp23-ppr2", [(one, False), (two, True)]),
                ("sgp23-test", [(one, True), (tuak, False)]), ("sgp23-no-rat", [(one, False)]),
                ("sgp23-no-memory", [(one, False)]), ("sgp33", [(one, False)]),
                ("sgp33-eim", [(one, False)]), ("sgp33-enabled", [(one, True), (two, False)]),
                ("sgp33-fallback", [(one, True), (two, False)]),
                ("sgp33-emergency", [(one, True), (two, False)]),
                ("sgp33-ipae", [(one, True), (two, False)])):
            shown = self.shown(name)
            self.assertEqual([(p["iccid"], p["state"] == "enabled") for p in shown["profiles"]],
                             wanted, name)
            self.assertEqual(shown["notifications_pending"], 0)
        _, got = profiles("sgp23-two", "--profile", PROFILE, name="more")
        self.assertEqual([p[1] for p in got], ["enabled", "disabled", "disabled"])
        card, got = profiles("pysim")
        self.assertEqual(got, [("89000123456789012341", "enabled", "Operational Profile Name 1",
                                "test"),
                               ("8949449999999990031", "disabled", "TS48V1-B-UNIQUE",
                                "operational")])
        # EF.ICCID of the enabled profile is the one of its metadata.
        done = softeuicc("apdu", card, stdin="00A40000022FE2\n00B000000A\n")
        self.assertEqual(done.stdout.splitlines()[1], "980010325476981032149000")
        card, _ = profiles("sgp23-ppr1")
        done = softeuicc("apdu", card, stdin=f"{SELECT_ISDR}\n"
                         "80E2910011BF320EA00C5A0A989209012143658709F500\n")
        self.assertTrue(done.stdout.splitlines()[1].startswith("BF3203800103"))  # by policy

    def test_words_with_values_behind_a_profile(self):
        png = "89504E470D0A1A0A0000"
        words = (",iccid=8900010000000000001,provider=P,name=N N,nickname=me,notify=a.example,"
                 f"owner=62F210,ppr=1+2,icon={png},aid=00AB")
        card = new_card(self.scratch.path, "--profile", PROFILE + words)
        done = softeuicc("apdu", card, stdin=f"{SELECT_ISDR}\n"
                         "80E291000FBF2D0C5C0A5A4F9091929394B6B79900\n")
        answer = done.stdout.splitlines()[1]
        for part in ("5A0A980010000000000000F1", "4F10A0000005591010FFFFFFFF890000AB00",
                     "90026D65", "910150", "92034E204E", "930101", "940A" + png,
                     "B611300F800204F08109612E6578616D706C65", "B705800362F210", "99020560"):
            self.assertIn(part, answer)
        for bad in ("iccid=12", "iccid=89000100000000000019999", "iccid=8900010000000000X01",
                    "owner=62F2", "ppr=3,owner=62F210", "ppr=1", "icon=8", "icon=XX", "aid=000F",
                    "aid=1", "notify=", "name=" + 65 * "n", "provider=" + 33 * "p", "names=x"):
            self.refuses(1, "new", self.path("b"), "--profile", f"{PROFILE},{bad}",
                         saying="a word behind it")
        self.refuses(1, "new", self.path("b"), "--profile", PROFILE + ",aid=0010", "--profile",
                     PROFILE + ",aid=0010,iccid=8900010000000000001", saying="has its AID")
        self.refuses(1, "new", self.path("b"), "--profile", PROFILE, "--profile", PROFILE,
                     saying="of this ICCID")

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

    def test_pcap_has_a_command_that_got_no_answer(self):
        card, capture = new_card(self.scratch.path), self.path("capture")
        softeuicc("apdu", card, "--pcap", capture, "--fault", "mute 00A4",
                  stdin=f"{SELECT_ISDR}\n00F2000000\n{SELECT_ISDR}\n")
        with open(capture, "rb") as f:
            octets = f.read()
        select = bytes.fromhex(SELECT_ISDR)
        self.assertEqual(octets.count(select), 2)
        self.assertTrue(octets.endswith(select))
        self.assertEqual(octets.count(struct.pack(">HH", 4729, 4729)), 3)

    @unittest.skipIf(shutil.which("tshark") is None, "tshark is not installed")
    def test_tshark_opens_the_capture(self):
        card, capture = new_card(self.scratch.path), self.path("capture")
        softeuicc("apdu", card, "--pcap", capture, stdin=f"{SELECT_ISDR}\n80F2000000\n")
        done = subprocess.run(["tshark", "-r", capture, "-T", "fields", "-e", "frame.protocols", "-e",
                               "gsm_sim.apdu.ins"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [line.split("\t") for line in done.stdout.splitlines()]
        self.assertEqual([(protocols, int(ins, 0)) for protocols, ins in rows],
                         [("raw:ip:udp:gsmtap:gsm_sim", ins) for ins in (0xA4, 0xF2)])

    def test_doctor_without_pcscd_says_what_to_do(self):
        environment = {**os.environ, "PCSCLITE_CSOCK_NAME": self.path("nothing")}
        done = subprocess.run([SOFTEUICC, "doctor"], env=environment, capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("pcscd does not run", done.stdout)
        self.assertIn("unset the variable", done.stdout)

    def test_doctor_does_not_hang_with_pcscd(self):
        if ctypes.util.find_library("pcsclite") is None:
            self.skipTest("no libpcsclite")
        path = self.path("pcscd.comm")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as pcscd:
            pcscd.bind(path)
            pcscd.listen(5)  # and never says a word
            done = subprocess.run([SOFTEUICC, "doctor"], capture_output=True, text=True,
                                  env={**os.environ, "PCSCLITE_CSOCK_NAME": path},
                                  timeout=2 * DEADLINE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("pcscd takes connections", done.stdout)
        self.assertIn("hangs", done.stdout.splitlines()[-2])

    @unittest.skipIf(MAN_PAGE is None, "no manual page given")
    def test_the_manual_page_has_the_commands_and_options_of_help(self):
        with open(MAN_PAGE, encoding="utf-8") as f:
            page = f.read()
        described = set(re.findall(r"(?m)^\.It Fl -([a-z-]+)", page))
        helped = set()
        for command in COMMANDS:
            self.assertIn(f".It Cm {command}", page)
            text = softeuicc(command, "--help").stdout.split("options:")[1].split("\n\n")[0]
            helped |= set(re.findall(r"(?m)^  --([a-z-]+)", text))
        self.assertEqual(described, helped - {"help", "version"})


if __name__ == "__main__":
    unittest.main()
