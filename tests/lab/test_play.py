#!/usr/bin/python3
"""softeuicc-lab play: formats of others, mistakes, the four reports and the page of coverage, exit
status, and that a card that does wrong is caught.

SOFTEUICC and SOFTEUICC_LAB are the programs, SOFTEUICC_PROFILE is operational.der."""

import html.parser
import json
import os
import subprocess
import sys
import unittest
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from programs import DEADLINE, Scratch, new_card  # noqa: E402

LAB = os.environ.get("SOFTEUICC_LAB", "softeuicc-lab")
PROFILE = os.environ.get("SOFTEUICC_PROFILE", "operational.der")
ICCID = "8900010000000000019"
CATALOGUE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "conformance")

ANNEX_B = """REM A script in the form of TS 51.013 Annex B
RST
INI FF FF FF FF 7F 9D 00 DF
REM Case 1 and case 3, the status one of several
CMD 00 A4 00 0C 02 3F 00 (90 00 , 6A XX)
CMD 00 70 00 00 01 [01] (90 00)
CMD 01 A4 04 00 10 A0 00 00 05 59 10 10 FF FF FF FF \\
89 00 00 01 00 00 \\
[6F XX 84 10 A0 00 00 05 59 10 10 FF FF FF FF 89 00 00 01 00 ... ] (90 00)
REM Data on lines of their own, without a backslash
CMD 81 E2 91 00 06
    BF 3E 03 5C 01 5A
    00
    [BF 3E 12 5A 10 89 04
     XX XX XX XX XX XX XX XX XX XX XX XX XX XX]
    (90 00)
CMD 00 A4 00 04 02 3F FF
SWI
90XX:
CMD 00 00 00 00 00 (9000)
6AXX:
CMD 00 70 80 01 (90 00)
RST
OFF
"""

SCRIPTOR = """#! /usr/bin/env scriptor
# a comment
reset

00 70 00 00 01
01A4040010A0000005591010FFFFFFFF8900000100 00
81 E2 91 00 06 BF 3E 03 \\
5C 01 5A
FF FF FF FF
exit
this is not read as a command
"""


class Page(html.parser.HTMLParser):
    """The texts of a page, and whether every element that is to be closed is."""

    CLOSED = {"table", "tr", "td", "th", "pre", "details", "summary", "code", "h1", "h2", "b"}

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.classes = []
        self.texts = []
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.classes += [(tag, dict(attrs).get("class"))]
        if tag in self.CLOSED:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.CLOSED:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


class PlayTest(unittest.TestCase):
    def setUp(self):
        scratch = Scratch()
        self.addCleanup(scratch.remove)
        self.folder = scratch.path

    def file(self, name, text=""):
        path = os.path.join(self.folder, name)
        if text:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        return path

    def play(self, *arguments, status=0):
        done = subprocess.run([LAB, "play", "--profiles", os.path.dirname(PROFILE), *arguments],
                              capture_output=True, text=True, timeout=DEADLINE, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def script(self, text, *arguments, status=0):
        return self.play(*arguments, self.file("t.sct", text), status=status)

    def cases(self, text, *arguments, status=0):
        """The cases of the JSON report."""
        report = self.file("report.json")
        self.script(text, "--json", report, *arguments, status=status)
        with open(report, encoding="utf-8") as f:
            return json.load(f)["cases"]


class Formats(PlayTest):
    def test_annex_b_is_played_as_it_is(self):
        report = self.file("report.json")
        self.play("--json", report, self.file("annexb.scr", ANNEX_B))
        with open(report, encoding="utf-8") as f:
            steps = json.load(f)["cases"][0]["steps"]
        sent = [s["apdus"][0] for s in steps if "apdus" in s]
        self.assertIn("> 8010000008FFFFFFFF7F9D00DF", sent)
        self.assertIn("> 81E2910006BF3E035C015A00", sent)
        self.assertIn("> 00708001", sent)  # the arm of SWI that fits
        self.assertNotIn("> 0000000000", sent)

    def test_annex_b_is_compared(self):
        for was, wrong in (("[01] (90 00)", "[02] (90 00)"), ("BF 3E 12 5A", "BF 3E 13 5A"),
                           ("3F 00 (90 00 , 6A XX)", "3F 00 (61 XX)")):
            self.assertIn(was, ANNEX_B)
            self.play(self.file("annexb.scr", ANNEX_B.replace(was, wrong)), status=1)

    def test_empty_brackets_of_annex_b_compare_nothing(self):
        self.play(self.file("a.scr", "CMD 00 A4 00 04 02 3F 00 [] (90 00)\n"))

    def test_scriptor_is_played_as_it_is(self):
        report = self.file("report.json")
        self.play("--json", report, self.file("a.scriptor", SCRIPTOR))
        with open(report, encoding="utf-8") as f:
            steps = json.load(f)["cases"][0]["steps"]
        self.assertEqual([s["apdus"][0] for s in steps if "apdus" in s],
                         ["> 0070000001", "> 01A4040010A0000005591010FFFFFFFF890000010000",
                          "> 81E2910006BF3E035C015A", "> FFFFFFFF"])

    def test_transcripts_of_the_card_are_played_as_they_are(self):
        here = os.path.dirname(os.path.abspath(__file__))
        self.play(os.path.join(here, "..", "apdu", "isdr-selection.txt"))

    def test_remarks_need_not_be_utf8(self):
        path = self.file("latin.scr")
        with open(path, "wb") as f:
            f.write(b"REM caf\xe9 <&>\nCMD 00 70 00 00 01 [02] (9000)\n")
        for kind in ("json", "junit", "html", "tap"):
            report = self.file("report." + kind)
            self.play("--" + kind, report, path, status=1)
            with open(report, encoding="utf-8") as f:
                text = f.read()
            if kind == "json":
                self.assertEqual(json.loads(text)["cases"][0]["steps"][0]["step"], "REM caf? <&>")
            elif kind == "junit":
                xml.etree.ElementTree.fromstring(text)

    def test_a_script_without_cases_is_called_like_its_file(self):
        self.assertEqual(self.cases("reset\n")[0]["id"], "t.sct")


class Language(PlayTest):
    def test_the_script_of_the_document_passes(self):
        with open(os.path.join(CATALOGUE, "..", "..", "docs", "SCRIPTS.md"), encoding="utf-8") as f:
            lines = f.read().split("A whole script")[1].splitlines()[1:]
        script = [line for line in lines[:lines.index("", 1)] if line]
        self.assertGreater(len(script), 9)
        self.script("\n".join(line.strip() for line in script) + "\n")

    def test_values_are_those_of_the_standards(self):
        # TS 35.208 test set 1; a packet that pySim publishes
        cases = self.cases("""case MILENAGE
let k = 465b5ce8b199b49faa5f0a2ee238a6bc
let rand = 23553cbe9637a89d218ae64dae47bf35
compute opc milenage opc {k} cdc202d5123e20f62b6d676ac72cb318
compute res milenage res {k} {opc} {rand}
compute ck milenage ck {k} {opc} {rand}
compute ik milenage ik {k} {opc} {rand}
compute ak milenage ak {k} {opc} {rand}
compute mac milenage mac-a {k} {opc} {rand} ff9bb4d0b607 b9b9
compute autn milenage autn {k} {opc} {rand} ff9bb4d0b607 b9b9
let all = 01({opc}) 02({res}) 03({ck}) 04({ik}) 05({ak}) 06({mac}) 07({autn})
expect {all} 01 == cd63cb71954a9f4e48a5994e37a02baf
expect {all} 02 == a54211d5e3ba50bf
expect {all} 03 == b40ba9a3c58b2a05bbf0d987b21bf8cb
expect {all} 04 == f769bcd751044604127672711c6d3441
expect {all} 05 == aa689c648370
expect {all} 06 == 4a9ffac354dfafb3
expect {all} 07 == 55f328b43577 b9b9 4a9ffac354dfafb3

case SCP80
compute p scp80 spi=0619 kic=35 kid=35 tar=b00011 kic-key=300102030405060708090a0b0c0d0e0f \\
 kid-key=301102030405060708090a0b0c0d0e0f 00a40004023f00
let all = 01({p})
expect {all} 01 == 00201506193535b00011ae733256918d050b87c94fbfe12e4dc402f262c41cf67f2f

case PRIMITIVES
compute aes aes 000102030405060708090a0b0c0d0e0f 00112233445566778899aabbccddeeff
compute mac mac aes 2b7e151628aed2a6abf7158809cf4f3c 6bc1bee22e409f96e93d7e117393172a
compute hash sha256 616263
compute xor xor 0F0F 00FF
compute part part 0102030405 1 3
let all = 01({aes}) 02({mac}) 03({hash}) 04({xor}) 05({part})
expect {all} 01 == 69c4e0d86a7b0430d8cdb78070b4c55a
expect {all} 02 == 070a16b46b4d4144f79bdd9dd04a287c
expect {all} 03 == ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
expect {all} 04 == 0FF0
expect {all} 05 == 020304

case EDIT
let v = BF21(A0(30(80(0102) 81(03)) 5F37(AA)))
compute longer edit {v} BF21/A0/30/80 01020304
compute bit alter {v} BF21/A0/5F37
compute less drop {v} BF21/A0/30/81
let all = 01({longer}) 02({bit}) 03({less})
expect {all} 01 == BF2111 A00F 3009 800401020304 810103 5F3701AA
expect {all} 02 == BF210F A00D 3007 80020102 810103 5F3701AB
expect {all} 03 == BF210C A00A 3004 80020102 5F3701AA
""")
        self.assertEqual([c["status"] for c in cases], ["passed"] * 4)

    def test_either_holds_when_one_of_its_parts_does(self):
        text = """case A
es10 BF2E00
either
    expect BF2E/81 exists
or
    repeat 2
        either
            expect BF2E/82 exists
        or
            expect BF2E/80 exists
        end
    end
end
expect BF2E exists
case B
es10 BF2E00
either
    expect BF2E/81 exists
or
    expect BF2E/82 exists
end
"""
        a, b = self.cases(text, status=1)
        self.assertEqual((a["status"], b["status"]), ("passed", "failed"))
        self.assertIn("BF2E/82", b["steps"][-1]["step"])

    def test_cut_each_cuts_every_write_until_none_is_cut(self):
        text = f"""case A
new --profile {{operational}}
cut-each
es10 BF31(A0(5A({{iccid:{ICCID}}})) 81(00))
es10 BF2D(5C(9F70))
expect BF2D/A0/E3/9F70 == XX
case B
cut-each
es10 BF2E00
"""
        a, b = self.cases(text, status=1)
        self.assertEqual(a["status"], "passed")
        self.assertGreater(a["rounds"], 3)
        self.assertEqual(b["status"], "failed")  # nothing is written

    def test_the_round_that_fails_is_told(self):
        text = f"""case A
new --profile {{operational}}
cut-each
es10 BF31(A0(5A({{iccid:{ICCID}}})) 81(00))
es10 BF2D(5C(9F70))
expect BF2D/A0/E3/9F70 is disabled
"""
        case, = self.cases(text, status=1)
        self.assertIn(f"with a cut after {case['rounds'] - 1} writes", case["why"])

    def test_a_download_step_by_step(self):
        text = """let id = 00112233445566778899AABBCCDDEEFF
es10 BF2E00
take challenge BF2E/80
let signed1 = 30(80({id}) 81({challenge}) 83('testsmdpplus1.example.com') 84({id}))
compute signature1 sign DPauth/SK_S_SM_DPauth_ECDSA_NIST.pem {signed1}
compute certificate pki DPauth/CERT_S_SM_DPauth_ECDSA_NIST.der
compute bad issue dpauth wrong-signature
compute ci ci nist
let rest = A0(A1(80(35290611) A1()))
es10 BF38({signed1} 5F37({signature1}) 04({ci}) {bad} {rest})
expect BF38/A1/02 is invalidCertificate
es10 BF2E00
take challenge BF2E/80
let signed1 = 30(80({id}) 81({challenge}) 83('testsmdpplus1.example.com') 84({id}))
compute signature1 sign DPauth/SK_S_SM_DPauth_ECDSA_NIST.pem {signed1}
es10 BF38({signed1} 5F37({signature1}) 04({ci}) {certificate} {rest})
verify
take euicc BF38/A0/5F37
let signed2 = 30(80({id}) 01(00))
compute signature2 sign DPpb/SK_S_SM_DPpb_ECDSA_NIST.pem {signed2} 5F3740 {euicc}
compute certificate2 pki DPpb/CERT_S_SM_DPpb_ECDSA_NIST.der
es10 BF21({signed2} 5F37({signature2}) {certificate2})
verify-prepare {signature2}
take otpk BF21/A0/30/5F49
compute metadata metadata operational profileName=a_name
compute bpp bind operational transaction={id} otpk={otpk} metadata={metadata}
load {bpp}
expect BF37/BF27/A2/A0/4F exists
verify
es10 BF2D(5C(92))
expect BF2D/A0/E3/92 == 'a name'
"""
        self.assertEqual(self.cases(text)[0]["status"], "passed")

    def test_the_last_answer_is_a_value_too(self):
        case, = self.cases("es10 BF2D00\nlet before = {}\nes10 BF2E00\nes10 BF2D00\n"
                           "< {before}\ncompute hash sha256 {}\nes10 BF2D00\nverify {}\n",
                           status=1)
        self.assertEqual(len(case["steps"]), 7)
        self.assertIn("BF2D holds no signature", case["why"])

    def test_proactive_commands_are_fetched_and_answered(self):
        text = f"""new --profile {{operational}}
INI FFFFFFFFFFFF
es10 BF31(A0(5A({{iccid:{ICCID}}})) 81(FF)) (91XX)
fetch
expect D0/81 == XX01XX
respond 00
es10 BF2D(5C(9F70))
expect BF2D/A0/E3/9F70 is enabled
"""
        self.assertEqual(self.cases(text)[0]["status"], "passed")


    def test_the_ipae_talks_to_the_model_eim(self):
        common = """new --set ipae=on --set ipae_delay=0 --set ipae_dns=192.0.2.53 \\
    --profile {iot},enabled
"""
        cases = self.cases(common + """case NOMINAL
eim testeim1 tls
associate testeim1
compute package package testeim1 list
serve BF4F({package})
terminal seconds=20
expect BF4F count 2
expect BF50/BF51/A0/30/30/BF2D exists
take result BF50/BF51
verify BF51({result})
expect {commands} D0/81 == XX40XX
wait 86400
expect BF4F count 1
case SILENCE
eim testeim1 tls
associate testeim1
serve status=500
terminal seconds=5
expect BF4F count 1
case STRANGER
eim testeim1 tls tls-host=other.example.com
associate testeim1
terminal seconds=20
expect BF4F absent
case IPAD
eim testeim1 tls
associate testeim1
terminal ipad seconds=20
expect BF4F absent
case NOBODY
terminal
""", status=1)
        self.assertEqual([c["status"] for c in cases],
                         ["passed", "passed", "passed", "passed", "error"],
                         [c["why"] for c in cases if "why" in c])


class Mistakes(PlayTest):
    def test_they_are_told_with_file_line_and_column_before_anything_is_played(self):
        report = self.file("report.tap")
        for text, where in (("case A\nCMD 00A\n", "2:7: half an octet"),
                            ("\n  fetch now\n", "2:9: nothing belongs here"),
                            ("or\n", "1:1: or without either"),
                            ("either\nreset\n", "1:1: no end to this"),
                            ("case A\nexpect {v BF2E exists\n", "2:8: {NAME} PATH"),
                            ("load\n", "1:5: an argument is missing"),
                            ("respond 0\n", "1:9: half an octet")):
            with self.subTest(text=text):
                done = self.script(text, "--tap", report, status=2)
                self.assertIn("t.sct:" + where, done.stderr)
                self.assertFalse(os.path.exists(report))

    def test_what_shows_when_it_is_played_is_an_error_and_no_failure(self):
        for text, where in (("es10 {none}\n", "1:6: there is no none"),
                            ("compute x random many\n", "1:18: a number up to"),
                            ("compute x issue me\n", "1:17: one of ci"),
                            ("compute x edit BF2000 BF21 00\n", "1:23: there is no such TLV"),
                            ("eim a\npackage a dance\n", "2:11: "),
                            ("load alter=9 BF3600\n", "1:14: there is no segment 9"),
                            ("case A\nterminal-profile FFFFFF\nes10 BF2E00\ncase B\nrespond\n",
                             "5:1: nothing was fetched"),
                            ("download nothing\n", "")):
            with self.subTest(text=text):
                case = self.cases(text, status=1)[-1]
                self.assertEqual(case["status"], "error")
                self.assertIn(where, case["why"])

    def test_what_is_wrong_with_a_new_card_has_its_place(self):
        for text, where in (("--presets sgp23", "2:5: new: no option --presets"),
                            ("--preset sgp23 --set", "2:20: new: --set wants a value"),
                            ("--set a=1", "2:5: there is no setting a"),
                            ("--profile {nothing}", "2:5: ")):
            with self.subTest(text=text):
                case, = self.cases(f"case A\nnew {text}\nreset\n", status=1)
                self.assertEqual(case["status"], "error")
                self.assertIn("t.sct:" + where, case["why"])

    def test_a_case_of_the_catalogue_without_statements_is_not_played(self):
        """What the card under test has, and nobody has written: skipped, not passed."""
        report = self.file("report.json")
        self.play("--json", report, "--option", "O_E_FRP", "--option", "O_E_V3", "--option",
                  "O_E_MEP", os.path.join(CATALOGUE, "authenticate.sct"),
                  os.path.join(CATALOGUE, "isdr.sct"))
        with open(report, encoding="utf-8") as f:
            status = {c["id"]: c["status"] for c in json.load(f)["cases"]}
        self.assertEqual((status["AS-03"], status["ISDR-04"]), ("skipped", "skipped"))

    def test_wrong_usage(self):
        self.play(status=2)
        self.play("--reader", "0", "--card", "x", self.file("t.sct", "reset\n"), status=2)
        self.play(self.file("nowhere.sct"), status=2)
        self.play("--case", "X", self.file("t.sct", "reset\n"), status=1)


REPORTED = """section 1 One
case A-1 passes <all> & "more"
provenance S a source
ref SGP.22 5.7.7
needs O_E_NIST
es10 BF2E00
case A-2 fails
provenance D derived
es10 BF2E00
< BF2E13 8010 ...
section 2 Two
case B-1 is skipped # not for the title
needs O_E_MEP
reset
case B-2 may fail
todo because it is not written yet
es10 BF2E00 (6A80)
case B-3 cannot go on
es10 {none}
case B-4 is skipped by itself
skip because nobody asks
es10 BF7E00
"""
STATES = {"A-1": "passed", "A-2": "failed", "B-1": "skipped", "B-2": "todo", "B-3": "error",
          "B-4": "skipped"}


class Reports(PlayTest):
    def report(self, kind):
        path = self.file("report." + kind)
        self.script(REPORTED, "--" + kind, path, status=1)
        with open(path, encoding="utf-8") as f:
            return f.read()

    def test_junit(self):
        root = xml.etree.ElementTree.fromstring(self.report("junit"))
        self.assertEqual([s.get("name") for s in root], ["1 One", "2 Two"])
        self.assertEqual({k: root.get(k) for k in ("tests", "failures", "errors", "skipped")},
                         {"tests": "6", "failures": "1", "errors": "1", "skipped": "3"})
        cases = {c.get("name").split()[0]: c for c in root.iter("testcase")}
        self.assertEqual(set(cases), set(STATES))
        properties = {p.get("name"): p.get("value")
                      for p in cases["A-1"].iter("property")}
        self.assertEqual(properties["provenance"], "S a source")
        self.assertEqual(properties["ref"], "SGP.22 5.7.7")
        self.assertIn("O_E_NIST", properties.values())
        self.assertIn("BF2E13", cases["A-2"].find("failure").text)
        self.assertIsNotNone(cases["B-3"].find("error"))
        self.assertIn("O_E_MEP", cases["B-1"].find("skipped").get("message"))

    def test_tap(self):
        lines = self.report("tap").splitlines()
        self.assertEqual(lines[:2], ["TAP version 14", "1..6"])
        results = [line for line in lines if line.startswith(("ok", "not ok"))]
        self.assertEqual([r.split(" - ")[0] for r in results],
                         ["ok 1", "not ok 2", "ok 3", "not ok 4", "not ok 5", "ok 6"])
        self.assertIn("# SKIP not applicable: O_E_MEP", results[2])
        self.assertIn("# TODO", results[3])
        self.assertIn("nobody asks", results[5])

    def test_a_todo_that_passes_is_told(self):
        report = self.file("report.tap")
        done = self.script("case A\ntodo because of it\nreset\ncase B\nreset\n", "--tap", report)
        self.assertIn("passed  A: passes, though it is todo: of it\n", done.stdout)
        with open(report, encoding="utf-8") as f:
            self.assertEqual(f.read().splitlines()[2:], [
                "ok 1 - A  # TODO passes, though it is todo: of it", "ok 2 - B "])

    def test_json(self):
        report = json.loads(self.report("json"))
        self.assertEqual({c["id"]: c["status"] for c in report["cases"]}, STATES)
        self.assertEqual(report["counts"],
                         {"passed": 1, "failed": 1, "error": 1, "skipped": 2, "todo": 1})
        failing = report["cases"][1]["steps"][-1]
        self.assertEqual(failing["wanted"], "BF2E13 8010 ...")
        self.assertEqual(failing["firstDifference"], 2)
        self.assertTrue(failing["received"].startswith("BF2E128010"))
        self.assertTrue(failing["apdus"][-1].startswith("< BF2E12"))
        self.assertIn("GetEuiccChallenge", failing["decoded"][0]["text"])
        self.assertIn("not written", report["cases"][3]["why"])

    def test_html(self):
        page = Page(self.report("html"))
        text = "".join(page.texts)
        for word in ("1 One", 'passes <all> & "more"', "BF2E13 8010", "GetEuiccChallenge"):
            self.assertIn(word, text)
        self.assertIn(("span", "d"), page.classes)  # the octet that differs
        # what was compared is shown, of A-2 and B-2, and nothing of B-3, which went wrong
        self.assertEqual([t for t, _ in page.classes].count("table"), 2)
        self.assertEqual([c for t, c in page.classes if t == "details"],
                         [STATES[c] for c in sorted(STATES)])

    def test_whatever_stands_in_a_script_they_are_well_formed(self):
        umlauts = "\u00fc" * 300
        script = os.path.join(os.fsencode(self.folder), b"na\xefve-\x1b.sct")
        with open(script, "wb") as f:
            f.write(f"""section ]]> <script>alert(1)</script> & --> # TODO
case A x\x1b[31m\x7f\x9b\ufffe\uffff' "q" # SKIP
es10 BF2E00
expect BF2E/80 == '\ufffe\x07</pre></failure>]]>'
case B
skip because {umlauts}
case C
todo because x{umlauts}
es10 BF2E00 (6A80)
case D
compute x pki \x1b</error>{umlauts}.der
""".encode())
        for kind in ("junit", "tap", "json", "html", "coverage"):
            with self.subTest(kind=kind):
                report = self.file("report." + kind)
                self.play("--" + kind, report, os.fsdecode(script), status=1)
                with open(report, encoding="utf-8") as f:
                    text = f.read()
                self.assertNotRegex(text, "[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")
                if kind == "junit":
                    cases = list(xml.etree.ElementTree.fromstring(text).iter("testcase"))
                    self.assertEqual([c.get("name") for c in cases], ["A", "B", "C", "D"])
                elif kind == "json":
                    self.assertEqual(len(json.loads(text)["cases"]), 4)
                elif kind == "tap":
                    self.assertRegex(text, r"(?m)^not ok 1 - A x.* \\# SKIP$")
                else:
                    Page(text)

    def test_coverage(self):
        path = self.file("coverage.html")
        self.script(REPORTED + "case C\nes10 BF31(A0(5A({iccid:8900010000000000027})) 81(00))\n",
                    "--coverage", path, status=1)
        with open(path, encoding="utf-8") as f:
            text = " ".join(Page(f.read()).texts)
        self.assertRegex(text, r"1 One\s+2\s+1\s+1\s+0\s+0\s+0")
        self.assertRegex(text, r"1\s+iccidOrAidNotFound\s+C\s")
        self.assertRegex(text, r"2\s+profileNotInDisabledState\s+not observed")
        self.assertRegex(text, r"\s1 of \d+ codes")

    def test_the_screen_shows_the_failing_step(self):
        out = self.script(REPORTED, status=1).stdout
        self.assertIn("t.sct:9:1: es10 BF2E00", out)
        self.assertIn("first difference: octet 2", out)
        self.assertIn("=> ", out)

    def test_the_exit_status_is_0_only_if_nothing_failed(self):
        self.script("case A\nskip because of it\nreset\n")
        self.script("case A\ntodo because of it\nes10 BF2E00 (6A80)\n")
        self.script("case A\nes10 BF2E00 (6A80)\n", status=1)
        self.script("case A\nes10 {none}\n", status=1)

    def test_one_case_one_section_everything(self):
        text = REPORTED
        self.script(text, "--case", "A-1")
        self.script(text, "--section", "1", status=1)
        listed = self.script(text, "--list").stdout
        self.assertEqual(len(listed.splitlines()), len(STATES))


class WrongCards(PlayTest):
    """A card that does wrong is caught, whatever it is that it does."""

    def faulty(self, fault, status=1):
        case, = self.cases(f"""new --profile {{operational}}
select-isdr
{fault}
es10 BF31(A0(5A({{iccid:{ICCID}}})) 81(00))
expect BF31/80 is ok
es10 BF2D(5C(9F70))
expect BF2D/A0/E3/9F70 is enabled
""", status=status)
        return case

    def test_wrong_status_words_and_octets(self):
        self.assertEqual(self.faulty("", status=0)["status"], "passed")
        for fault in ("control sw 81E29100XXBF31 6985", "control mute 81E29100XXBF31",
                      "control corrupt 01C0 -3 1", "control corrupt 01C0 5"):
            with self.subTest(fault=fault):
                self.assertEqual(self.faulty(fault)["status"], "failed")

    def test_a_signature_that_is_wrong(self):
        text = """download operational
es10 BF2B00
{fault}
es10 BF2B00
verify
"""
        case, = self.cases(text.format(fault=""))
        self.assertEqual(case["status"], "passed")
        # offset 40 is in the signed part
        case, = self.cases(text.format(fault="control corrupt 01C0 40 1"), status=1)
        self.assertEqual(case["status"], "failed")
        self.assertIn("does not verify", case["why"])


class CardFiles(PlayTest):
    def test_a_card_file_keeps_what_was_done_to_it(self):
        card = new_card(self.folder, "--profile", PROFILE)
        text = f"es10 BF31(A0(5A({{iccid:{ICCID}}})) 81(00))\nexpect BF31/80 is {{}}\n"
        self.script(text.replace("{}", "ok"), "--card", card)
        self.script(text.replace("{}", "profileNotInDisabledState"), "--card", card)

    def test_cases_with_a_card_of_their_own_are_skipped(self):
        card = new_card(self.folder)
        case, = self.cases("case A\nnew --preset sgp23\nreset\n", "--card", card)
        self.assertEqual(case["status"], "skipped")

    def test_clean_leaves_nothing(self):
        text = "clean\nes10 BF2D00\n< BF2D02 A000\nes10 BF2800\n< BF2802 A000\n"
        package = "eim e\nassociate e\npackage e list\n"
        results = "es10 BF2B04A0028200\n< BF2B02 A200\n"
        self.script(package + text + results, "--card", new_card(self.folder, "--profile", PROFILE))
        self.script(text, "--card", new_card(self.folder, "--set", "iot=off", "--profile",
                                             PROFILE + ",class=provisioning", name="old"))

    def test_the_catalogue_plays_on_a_card_that_is_given(self):
        new = new_card(self.folder)
        self.play("--card", new, CATALOGUE)
        self.play("--card", new, CATALOGUE)
        self.play("--card", new_card(self.folder, "--preset", "sgp23-two", name="old"),
                  "--option", "!O_E_IOT", CATALOGUE)


if __name__ == "__main__":
    unittest.main()
