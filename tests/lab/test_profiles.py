#!/usr/bin/python3
"""Our profile packages: what the converter made of the text, and what it refuses.

SOFTEUICC_CONVERT is the converter, SOFTEUICC_PROFILE is operational.der."""

import os
import re
import subprocess
import tempfile
import unittest

CONVERT = os.environ.get("SOFTEUICC_CONVERT", "profile-convert")
PROFILE = os.environ.get("SOFTEUICC_PROFILE", "operational.der")
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "profiles")

with open(os.path.join(FOLDER, "operational.xer"), encoding="utf-8") as text:
    OPERATIONAL = text.read()


def tlv(tag, *parts):
    value = b"".join(bytes.fromhex(p) if isinstance(p, str) else p for p in parts)
    if len(value) < 0x80:
        size = bytes([len(value)])
    else:
        n = (len(value).bit_length() + 7) // 8
        size = bytes([0x80 | n]) + len(value).to_bytes(n, "big")
    return bytes.fromhex(tag) + size + value


def header(number):
    return tlv("A0", tlv("80"), tlv("81", bytes([number])))


def oid(last):
    return "67810F0102" + f"{last:02X}"


AID = "A0000000871002FF49FF0189"

# The access rules of TCA 9.9, made of their words: access mode bits and a condition.
CONDITIONS = {"ALW": "9000", "NEV": "9700", "PIN1": "A406830101950108",
              "PIN2": "A406830181950108", "ADM1": "A40683010A950108"}
RULES = ["01 ALW, 02 PIN1, 58 ADM1", "01 PIN1, 5A ADM1", "5B ADM1", "01 ALW, 1A NEV, 40 ADM1",
         "03 PIN1, 58 ADM1", "11 PIN1, 4A ADM1", "03 PIN1, 58 ADM1, 32 PIN1",
         "01 PIN1, 02 PIN2, 58 ADM1", "01 ALW, 1A PIN1, 40 ADM1", "01 ALW, 5A ADM1",
         "01 ALW, 18 ADM1, 42 NEV", "01 PIN1, 5A NEV", "13 PIN1, 48 ADM1", "5E ADM1"]
RECORD = 33


def access_rules():
    """EF.ARR as a file of a template: descriptor, then the records with gaps between them."""
    items = [tlv("A1", tlv("82", f"422100{RECORD:02X}"), tlv("80", f"{RECORD * len(RULES):04X}"))]
    for number, rule in enumerate(RULES, 1):
        record = b""
        for part in rule.split(", "):
            mode, condition = part.split()
            tag = "84" if mode == "32" else "80"  # INCREASE is named by its instruction
            record += tlv(tag, mode) + bytes.fromhex(CONDITIONS[condition])
        items.append(tlv("83", record))
        if number < len(RULES) and len(record) < RECORD:
            items.append(tlv("82", bytes([RECORD - len(record)])))
    return items


EXPECTED = b"".join([
    tlv("A0", tlv("80", "02"), tlv("81", "03"), tlv("82", b"softeuicc operational"),
        tlv("83", "8900010000000000019F"), tlv("A5", tlv("81"), tlv("84")),
        tlv("A6", tlv("06", oid(1)), tlv("06", oid(4)))),
    tlv("B0", header(1), tlv("81", oid(1)),
        tlv("A2", tlv("A1", tlv("C6", "010A"))),
        tlv("A4", tlv("83", "980010000000000010F9")),
        tlv("A5", tlv("A1", tlv("82", "42210016"), tlv("80", "0016")),
            tlv("83", tlv("61", tlv("4F", AID), tlv("50", b"USIM")))),
        tlv("A6", *access_rules())),
    tlv("A3", header(2), tlv("A1", tlv("30", tlv("80", "01"), tlv("81", b"11111111")),
                             tlv("30", tlv("80", "0081"), tlv("81", b"22222222")))),
    tlv("A2", header(3), tlv("A1", tlv("A0",
        tlv("30", tlv("80", "01"), tlv("81", "30303030FFFFFFFF"), tlv("82", "01"),
            tlv("83", "06")),
        tlv("30", tlv("80", "0A"), tlv("81", b"55555555"), tlv("83", "03"))))),
    tlv("B3", header(4), tlv("81", oid(4)),
        tlv("A2", tlv("A1", tlv("83", "7FD0"), tlv("84", AID), tlv("C6", "01810A"))),
        tlv("A3", tlv("83", "080910100000000010")),
        tlv("A4", *access_rules()),
        tlv("A8", tlv("83", "020A0400010000000000100000 00")),
        tlv("AD", tlv("83", b"\0softeuicc")),
        tlv("AE", tlv("83", "00")),
        tlv("B2", tlv("83", "0002")),
        tlv("B6", tlv("83", "11F2FF00"))),
    tlv("A2", header(5), tlv("A1", tlv("A0",
        tlv("30", tlv("80", "0081"), tlv("81", "39393939FFFFFFFF"), tlv("82", "0081"),
            tlv("83", "03"))))),
    tlv("A4", header(6), tlv("A1", tlv("A1", tlv("80", "01"), tlv("81", "00"),
        tlv("82", "465B5CE8B199B49FAA5F0A2EE238A6BC"),
        tlv("83", "CD63CB71954A9F4E48A5994E37A02BAF")))),
    tlv("AA", header(7)),
])


class ProfilesTest(unittest.TestCase):
    maxDiff = None

    def convert(self, text):
        """The converter's exit status, its complaint, and what it wrote or None."""
        with tempfile.TemporaryDirectory() as folder:
            source, target = os.path.join(folder, "in.xer"), os.path.join(folder, "out.der")
            with open(source, "w", encoding="utf-8") as f:
                f.write(text)
            done = subprocess.run([CONVERT, source, target], capture_output=True, text=True,
                                  check=False)
            if not os.path.exists(target):
                return done.returncode, done.stderr, None
            with open(target, "rb") as f:
                return done.returncode, done.stderr, f.read()

    def refused(self, text):
        self.assertNotEqual(text, OPERATIONAL)
        status, complaint, written = self.convert(text)
        self.assertNotEqual(status, 0)
        self.assertIsNone(written)
        return complaint

    def test_operational_is_what_its_text_says(self):
        with open(PROFILE, "rb") as f:
            self.assertEqual(f.read().hex(), EXPECTED.hex())

    def test_conversion_is_repeatable(self):
        self.assertEqual(self.convert(OPERATIONAL), (0, "", EXPECTED))

    def test_odd_hex(self):
        text = OPERATIONAL.replace("<opc>CD63", "<opc>CD6")
        self.assertIn("profile element 7: is not what its text says", self.refused(text))

    def test_a_length_beyond_its_bound(self):
        text = OPERATIONAL.replace("<pinValue>3535353535353535", "<pinValue>35353535353535")
        self.assertIn("profile element 4: breaks a bound", self.refused(text))

    def test_an_unknown_element(self):
        self.refused(re.sub("ef-est>", "ef-none>", OPERATIONAL))
        self.refused(OPERATIONAL.replace("<ef-est>", "<ef-none>00</ef-none><ef-est>"))

    def test_a_missing_element(self):
        self.refused(re.sub("(?s)<ef-est>.*</ef-est>", "", OPERATIONAL))

    def test_text_behind_the_end(self):
        self.refused(OPERATIONAL + "x")
        self.refused(OPERATIONAL + "<!-- no end")
        self.refused("")


if __name__ == "__main__":
    unittest.main()
