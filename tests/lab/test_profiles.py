#!/usr/bin/python3
"""Our profile packages: what the converter made of the text, what it refuses, and what a card with
each of them holds and does.

SOFTEUICC_CONVERT is the converter, SOFTEUICC_PROFILE is operational.der with the others beside it,
SOFTEUICC is the program."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from programs import DEADLINE, SELECT_ISDR, SOFTEUICC, new_card, softeuicc  # noqa: E402

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
ISIM_AID = "A0000000871004FF49FF0189"

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


def fcp(*parts):
    return tlv("A1", *parts)


def content(value):
    return tlv("83", value)


def sized(tag, value, count=1, records=False):
    """A file that is as long as its content, or has so many records of that length."""
    value = bytes.fromhex(value) if isinstance(value, str) else value
    descriptor = [tlv("82", f"422100{len(value):02X}")] if records else []
    return tlv(tag, fcp(*descriptor, tlv("80", f"{count * len(value):04X}")), content(value))


def records(tag, count, length, sfi=None):
    short = [] if sfi is None else [tlv("88", f"{sfi << 3:02X}")]
    return tlv(tag, fcp(tlv("82", f"422100{length:02X}"), tlv("80", f"{count * length:04X}"),
                        *short))


def services(octets, *numbers):
    table = bytearray(octets)
    for number in numbers:
        table[(number - 1) // 8] |= 1 << (number - 1) % 8
    return bytes(table)


def profile_header(name, iccid, service_tags, *templates):
    return tlv("A0", tlv("80", "02"), tlv("81", "03"), tlv("82", b"softeuicc " + name.encode()),
               tlv("83", iccid), tlv("A5", *[tlv(tag) for tag in service_tags]),
               tlv("A6", *[tlv("06", oid(t)) for t in templates]))


def mf(iccid, *naas, language=b""):
    entries = [tlv("61", tlv("4F", aid), tlv("50", label)) for aid, label in naas]
    size = len(entries[0])
    return tlv("B0", header(1), tlv("81", oid(1)),
               tlv("A2", fcp(tlv("C6", "010A"))),
               language,
               tlv("A4", content(iccid)),
               tlv("A5", fcp(tlv("82", f"422100{size:02X}"),
                             tlv("80", f"{size * len(entries):04X}")), *map(content, entries)),
               tlv("A6", *access_rules()))


PUK1 = tlv("30", tlv("80", "01"), tlv("81", b"11111111"))
PUK2 = tlv("30", tlv("80", "0081"), tlv("81", b"22222222"))
ADM1 = tlv("30", tlv("80", "0A"), tlv("81", b"55555555"), tlv("83", "03"))
PIN2 = tlv("30", tlv("80", "0081"), tlv("81", "39393939FFFFFFFF"), tlv("82", "0081"),
           tlv("83", "03"))


def pin1(digits, *attributes):
    return tlv("30", tlv("80", "01"), tlv("81", digits, "FFFFFFFF"), tlv("82", "01"),
               *[tlv("83", a) for a in attributes])


def puks(number, *codes):
    return tlv("A3", header(number), tlv("A1", *codes))


def pins(number, *codes):
    return tlv("A2", header(number), tlv("A1", tlv("A0", *codes)))


def adf(fid, aid, references="01810A"):
    return tlv("A2", fcp(tlv("83", fid), tlv("84", aid), tlv("C6", references)))


def link_to_the_mfs_rules(tag):
    return tlv(tag, fcp(tlv("C7", "2F06")))


def algorithm(number, identifier, options, key, opc, *sqn):
    return tlv("A4", header(number), tlv("A1", tlv("A1", tlv("80", identifier),
               tlv("81", options), tlv("82", key), tlv("83", opc))), *sqn)


def end(number):
    return tlv("AA", header(number))


DO_NOT_CREATE = tlv("80")
EMERGENCY = tlv("B6", content("11F2FF00"))
REALM = b"ims.mnc001.mcc001.3gppnetwork.org"
IMS_IMSI = b"001010000000012"

OPERATIONAL_EXPECTED = b"".join([
    profile_header("operational", "8900010000000000019F", ["81", "84"], 1, 4),
    mf("980010000000000010F9", (AID, b"USIM")),
    puks(2, PUK1, PUK2),
    pins(3, pin1(b"0000", "06"), ADM1),
    tlv("B3", header(4), tlv("81", oid(4)),
        adf("7FD0", AID),
        tlv("A3", content("080910100000000010")),
        tlv("A4", *access_rules()),
        tlv("A8", content("020A0400010000000000100000 00")),
        tlv("AD", content(b"\0softeuicc")),
        tlv("AE", content("00")),
        tlv("B2", content("0002")),
        EMERGENCY),
    pins(5, PIN2),
    algorithm(6, "01", "00", "465B5CE8B199B49FAA5F0A2EE238A6BC",
              "CD63CB71954A9F4E48A5994E37A02BAF"),
    end(7),
])

TUAK_EXPECTED = b"".join([
    profile_header("TUAK", "8900010000000000118F", ["81", "85"], 1, 4),
    mf("980010000000000011F8", (AID, b"USIM")),
    puks(2, PUK1, PUK2),
    pins(3, pin1(b"1234"), ADM1),
    tlv("B3", header(4), tlv("81", oid(4)),
        adf("7FD0", AID),
        tlv("A3", content("080910100000000011")),
        link_to_the_mfs_rules("A4"),
        tlv("A8", content(services(14, 2, 10, 12, 19, 33, 85))),
        tlv("AD", content(b"\0softeuicc TUAK")),
        tlv("AE", content("00")),
        tlv("B2", content("0002")),
        EMERGENCY),
    pins(5, PIN2),
    algorithm(6, "02", "00", "AB" * 16,
              "BD04D9530E87513C5D837AC2AD954623A8E2330C115305A73EB45D1F40CCCBFF",
              tlv("82", "00")),
    end(7),
])

IMS_EXPECTED = b"".join([
    profile_header("IMS", "8900010000000000126F", ["81", "82", "84", "95"],
                   1, 3, 4, 5, 7, 8, 9, 13, 14),
    mf("980010000000000021F6", (AID, b"USIM"), (ISIM_AID, b"ISIM"),
       language=tlv("A3", content(b"en"))),
    puks(2, PUK1, PUK2),
    pins(3, pin1(b"0000", "06"), ADM1),
    tlv("B2", header(4), tlv("81", oid(3)),
        tlv("A2", fcp(tlv("C6", "010A"))),
        link_to_the_mfs_rules("A3"),
        sized("A8", tlv("80", b"sip:smsc@" + REALM), records=True),
        tlv("AF", fcp(tlv("C6", "010A"))),
        tlv("B0", fcp(tlv("82", "42210040"), tlv("80", "0040")),
            content(tlv("A8", tlv("C0", "4F5801"), tlv("C5", "4F6002"), tlv("C4", "4F6803"),
                        tlv("CA", "4F7804"), tlv("C9", "4F8805")) +
                    tlv("AA", tlv("C2", "4F3806"), tlv("C7", "4F40")))),
        records("B1", 5, 13, 6),
        records("B2", 3, 10),
        tlv("B4", fcp(tlv("88", "38"))),
        tlv("B5", fcp(tlv("88", "40"))),
        tlv("B6", fcp(tlv("88", "48"))),
        records("B8", 20, 28, 1),
        records("B9", 20, 2, 2),
        records("BA", 20, 15, 3),
        records("BC", 20, 40, 4),
        records("BE", 20, 2, 5)),
    tlv("B3", header(5), tlv("81", oid(4)),
        adf("7FD0", AID),
        tlv("A3", content("080910100000000021")),
        link_to_the_mfs_rules("A4"),
        sized("A8", services(16, 2, 10, 12, 19, 20, 21, 27, 33, 38, 42, 43, 45, 46, 51, 71, 85,
                             91, 122, 123, 124, 125, 126)),
        tlv("AD", content(b"\0softeuicc IMS")),
        tlv("AE", content("00")),
        tlv("B2", content("0004")),
        EMERGENCY),
    tlv("B4", header(6), tlv("81", oid(5)),
        tlv("A2", content(b"en")),
        tlv("A7", content("FF" * 10 + "0791000101000021" + "FF" * 6)),
        tlv("AF"),
        tlv("B0", content("00F110C880")),
        tlv("B1", content("00F110C880")),
        tlv("BF26", content("430981F3B7995EAEA7C763")),
        tlv("BF27", content("00F1100000FFFE01")),
        tlv("BF2E", content(tlv("A3", tlv("80", "00F110")))),
        tlv("BF3A", content("00F110"))),
    pins(7, PIN2),
    algorithm(8, "01", "00", "FEC86BA6EB707ED08905757B1BB44B8F",
              "1006020F0A478BF6B699F15C062E42B3"),
    tlv("B8", header(9), tlv("81", oid(7)),
        tlv("A2", fcp(tlv("C6", "01810A"))), tlv("A3"), tlv("A4")),
    tlv("BC", header(10), tlv("81", oid(13)),
        tlv("A2", fcp(tlv("C6", "01810A"))), tlv("A3"), tlv("A4"), tlv("A5"), tlv("A6"),
        tlv("A7", content("FF")),
        tlv("A8", content("00000000")),
        tlv("AC")),
    tlv("BD", header(11), tlv("81", oid(14)),
        tlv("A2", fcp(tlv("C6", "01810A"))),
        sized("A3", "A0020000")),
    tlv("B5", header(12), tlv("81", oid(8)),
        adf("7FB0", ISIM_AID),
        sized("A3", tlv("80", IMS_IMSI + b"@" + REALM)),
        sized("A4", tlv("80", b"sip:" + IMS_IMSI + b"@" + REALM), records=True),
        sized("A5", tlv("80", REALM)),
        tlv("A6", content(services(14, 1, 6, 8))),
        link_to_the_mfs_rules("A8")),
    tlv("B6", header(13), tlv("81", oid(9)),
        sized("A2", tlv("80", b"\0pcscf." + REALM), records=True),
        tlv("A3"), tlv("A4"), tlv("A5")),
    tlv("A2", header(14), tlv("A1", tlv("81", "7FD0"))),
    tlv("A4", header(15), tlv("A1", tlv("A0", tlv("80", "06"), tlv("81", AID)))),
    end(16),
])


def key(usage, identifier, value):
    return tlv("30", tlv("95", usage), tlv("82", identifier), tlv("83", "02"),
               tlv("30", tlv("30", tlv("80", "88"), tlv("86", value))))


CARD_DATA = tlv("66", tlv("73", tlv("06", "2A864886FC6B01"),
                          tlv("60", tlv("06", "2A864886FC6B020202")),
                          tlv("63", tlv("06", "2A864886FC6B03")),
                          tlv("64", tlv("06", "2A864886FC6B048000"))))

BOOTSTRAP_EXPECTED = b"".join([
    profile_header("bootstrap", "8900010000000000134F", ["81", "84"], 1, 4),
    mf("980010000000000031F4", (AID, b"USIM")),
    puks(2, PUK1),
    pins(3, pin1(b"0000", "06"), ADM1),
    tlv("B3", header(4), tlv("81", oid(4)),
        adf("7FD0", AID, "010A"),
        tlv("A3", content("080910100000000031")),
        link_to_the_mfs_rules("A4"),
        tlv("A8", content(services(14, 19, 28, 33, 85))),
        *[tlv(tag, DO_NOT_CREATE) for tag in ("A9", "AA", "AB", "AC")],
        tlv("AD", content(b"\0bootstrap")),
        tlv("AE", DO_NOT_CREATE),
        tlv("B2", content("0008")),
        EMERGENCY,
        tlv("B7", DO_NOT_CREATE)),
    algorithm(5, "01", "00", "9E5944AEA94B81165C82FBF9F32DB751",
              "A64A507AE1A2A98BB88EB4210135DC87"),
    tlv("A6", header(6),
        tlv("A1", tlv("4F", "A0000001515350"), tlv("4F", "A000000151535041"),
            tlv("4F", "A000000151000000"), tlv("82", "82DC00"), tlv("83", "0F"),
            tlv("C9", "81028000820100830100870100"),
            tlv("EA", tlv("80", "0100000000 020116 03B20100 00"))),
        tlv("A2", key("18", "01", "000102030405060708090A0B0C0D0E0F"),
            key("14", "02", "2B7E151628AED2A6ABF7158809CF4F3C"),
            key("48", "03", "00112233445566778899AABBCCDDEEFF")),
        tlv("A3", tlv("04", "0070", bytes([len(CARD_DATA)]), CARD_DATA))),
    tlv("A7", header(7), tlv("4F", "A00000055910100201"), tlv("A0", tlv("04", "B00121")),
        tlv("81", "16"), tlv("04", "00"), tlv("04", "00"),
        tlv("30", tlv("80", AID), tlv("81", "00"), tlv("82", "00"))),
    end(8),
])

IOT_EXPECTED = b"".join([
    tlv("A0", tlv("80", "03"), tlv("81", "03"), tlv("82", b"softeuicc IoT"),
        tlv("83", "8900010000000000142F"), tlv("A5", tlv("81"), tlv("84")),
        tlv("A6", tlv("06", oid(17))), tlv("A9", tlv("80", AID[10:]))),
    tlv("BF20", header(1), tlv("81", oid(17)),
        tlv("A9", content("080910100000000041")),
        tlv("AE", content(services(11, 33, 85))),
        tlv("B2", content("0010")),
        tlv("B6", content("11F2FF00"))),
    algorithm(2, "01", "00", "4AB1DEB05CA6CEB051FC98E77D026A84",
              "DCF07CBD51855290B92A07A9891E523E"),
    end(3),
])

EXPECTED = {"operational": OPERATIONAL_EXPECTED, "tuak": TUAK_EXPECTED, "ims": IMS_EXPECTED,
            "bootstrap": BOOTSTRAP_EXPECTED, "iot": IOT_EXPECTED}


def package(name):
    return os.path.join(os.path.dirname(PROFILE), name + ".der")


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

    def test_profiles_are_what_their_texts_say(self):
        for name, expected in EXPECTED.items():
            with self.subTest(name), open(package(name), "rb") as f:
                self.assertEqual(f.read().hex(), expected.hex())

    def test_there_are_no_others(self):
        texts = {name[:-4] for name in os.listdir(FOLDER) if name.endswith(".xer")}
        self.assertEqual(texts, set(EXPECTED))

    def test_conversion_is_repeatable(self):
        self.assertEqual(self.convert(OPERATIONAL), (0, "", EXPECTED["operational"]))

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


# What the published test sets give: TS 35.233 6.3; AK* of TS 35.208 4.3, sets 3 to 5.
TUAK_RAND = "42" * 16
TUAK_AUTN = "608E0F8A8145" + "FFFF" + "F9A54E6AEAA8618D"  # SQN xor AK, AMF, MAC-A
TUAK_ANSWER = ("DB04657ACD64" + "10D71A1E5C6CAFFE986A26F783E5C78BE1" +
               "10BE849FA2564F869AECEE6F62D4337E72" + "9000")
SET3_RAND, SET3_AK_STAR = "9F7C8D021ACCF4DB213CCFF0C7F71A6A", "DEACDD848CC6"
SET3_AUTN = "AE4A3A9B4C97" + "725C" + "9CABC3E99BAF7281"
SET4_RAND, SET4_AK_STAR = "CE83DBC54AC0274A157C17F80D017BD6", "6085A86C6F63"
SET4_AUTN = "FBD98A0B3C86" + "9E09" + "74A58220CBA84C49"
SET5_RAND, SET5_AK_STAR = "74B0CD6031A1C8339B2B6CE2B8C4A186", "FE2555E54AA9"
SET5_AUTN = "D961BBD511AE" + "9F07" + "49E785DD12626EF2"

SELECT_USIM = "00A4040C0C" + AID
SELECT_ISIM = "00A4040C0C" + ISIM_AID
READ_IMSI = "00B0870009"
VERIFY_PIN1 = "0020000108"
VERIFY_ADM1 = "0020000A08" + "35" * 8


def authenticate(rand, autn):
    return f"008800812210{rand}10{autn}00"


def files_by_path(node, path=""):
    """The files that show tells of, by their paths of FIDs."""
    found = {path: node}
    for child in node.get("files", []):
        found.update(files_by_path(child, f"{path}/{child['fid']}".lstrip("/")))
    return found


class CardsTest(unittest.TestCase):
    """Each profile on a card: what show tells, and what a terminal meets once it is enabled."""
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def install(self, name):
        """A card with the profile; what show tells of it, and its files."""
        card = new_card(self.folder, "--profile", package(name), name=name)
        profiles = json.loads(softeuicc("show", card, "--json").stdout)["profiles"]
        self.assertEqual(len(profiles), 1)
        self.assertEqual(profiles[0]["state"], "disabled")
        return card, profiles[0], files_by_path(profiles[0]["files"])

    def exchange(self, card, iccid, *script):
        """Enables the profile, then sends commands; each answer must match its expression."""
        enable = f"80E2910014BF3111A00C5A0A{iccid}810100"
        script = [("reset", "3B.*"), (SELECT_ISDR, ".*9000"), (enable, "BF31038001009000"),
                  ("reset", "3B.*"), *script]
        with subprocess.Popen([SOFTEUICC, "apdu", card], stdin=subprocess.PIPE, text=True,
                              stdout=subprocess.PIPE) as process:
            def send(line):
                process.stdin.write(line + "\n")
                process.stdin.flush()
                return process.stdout.readline().rstrip("\n")

            for command, expected in script:
                answer = send(command)
                while answer[-4:-2] == "61":
                    answer = answer[:-4] + send("00C00000" + answer[-2:])
                self.assertRegex(answer, f"^{expected}$", command)
            process.stdin.close()
            self.assertEqual(process.wait(DEADLINE), 0)

    def pins_of(self, profile):
        return {(p["of"], p["pin"]): p["enabled"] for p in profile["pins"]}

    def test_operational(self):
        card, profile, files = self.install("operational")
        self.assertEqual(profile["iccid"], "8900010000000000019")
        self.assertEqual(profile["naas"], [{"aid": AID, "algorithm": "Milenage"}])
        self.assertEqual(self.pins_of(profile), {("3F00", "PIN01"): False, ("3F00", "ADM1"): True,
                                                 ("7FD0", "PIN81"): True})
        self.assertIn("7FD0/6FE4", files)
        self.exchange(card, "980010000000000010F9", (SELECT_USIM, "9000"),
                      (READ_IMSI, "0809101000000000109000"))

    def test_tuak(self):
        card, profile, files = self.install("tuak")
        self.assertEqual(profile["iccid"], "8900010000000000118")
        self.assertEqual(profile["naas"], [{"aid": AID, "algorithm": "TUAK"}])
        self.assertEqual(self.pins_of(profile), {("3F00", "PIN01"): True, ("3F00", "ADM1"): True,
                                                 ("7FD0", "PIN81"): True})
        self.assertEqual(files["7FD0/6F07"]["rules"],
                         "read PIN01; update, deactivate, activate, delete ADM1")
        self.exchange(card, "980010000000000011F8",
                      (SELECT_USIM, "9000"),
                      (READ_IMSI, "6982"),
                      (authenticate(TUAK_RAND, TUAK_AUTN), "6982"),
                      (VERIFY_PIN1 + "30303030FFFFFFFF", "63C2"),
                      (VERIFY_PIN1 + "31323334FFFFFFFF", "9000"),
                      (READ_IMSI, "0809101000000000119000"),
                      (authenticate(TUAK_RAND, TUAK_AUTN), TUAK_ANSWER),
                      # again: not fresh; SQN xor AK*
                      (authenticate(TUAK_RAND, TUAK_AUTN), "DC0EF6BE7A2C1F29.{16}9000"),
                      (authenticate(TUAK_RAND, TUAK_AUTN[:-2] + "00"), "9862"))

    def test_ims_files(self):
        profile, files = self.install("ims")[1:]
        self.assertEqual(profile["iccid"], "8900010000000000126")
        self.assertEqual(profile["naas"],
                         [{"aid": AID, "algorithm": "Milenage"},
                          {"aid": ISIM_AID, "algorithm": "shared with another NAA"}])
        self.assertEqual(self.pins_of(profile), {("3F00", "PIN01"): False, ("3F00", "ADM1"): True,
                                                 ("7FD0", "PIN81"): True})
        for path, records, length, sfi in (("2F00", 2, 22, 30), ("7F10/5F3A/4F30", 1, 64, None),
                                           ("7F10/5F3A/4F58", 20, 28, 1),
                                           ("7F10/6FE5", 1, 44, None), ("7FB0/6F04", 1, 55, 4),
                                           ("7FD0/6FC5", 10, 16, 25)):
            found = files[path]
            self.assertEqual((found["records"], found["record_length"], found.get("sfi")),
                             (records, length, sfi), path)
        for path in ("7FD0/5F3B/4F20", "7FD0/5FC0/4F05", "7FD0/5FC0/4F0A", "7FD0/5FD0/4F01",
                     "7FB0/6F09", "7FD0/6F60"):
            self.assertIn(path, files)
        # the USIM calculates SUCI: the terminal finds no file for it
        self.assertNotIn("7FD0/5FC0/4F07", files)
        self.assertEqual(files["7FD0/5FD0/4F01"]["rules"],
                         "read, update, deactivate, activate, delete ADM1")

    def test_ims(self):
        card = self.install("ims")[0]
        impi = tlv("80", IMS_IMSI + b"@" + REALM).hex().upper()
        usim_ust = services(16, 2, 10, 12, 19, 20, 21, 27, 33, 38, 42, 43, 45, 46, 51, 71, 85, 91,
                            122, 123, 124, 125, 126).hex().upper()
        self.exchange(card, "980010000000000021F6",
                      ("00A40804047F106FE5", "62.*9000"),
                      ("00B2010400", tlv("80", b"sip:smsc@" + REALM).hex().upper() + "9000"),
                      ("00A40804067F105F3A4F30", "62.*9000"),
                      (SELECT_USIM, "9000"),
                      (READ_IMSI, "0809101000000000219000"),
                      ("00B0840010", usim_ust + "9000"),
                      (authenticate(SET3_RAND, SET3_AUTN), f"DC0E{SET3_AK_STAR}.{{16}}9000"),
                      # GET IDENTITY: 001-01, routing 0, null scheme, MSIN
                      ("8078000100", "A10D0100F110F0FF00000000000021" + "9000"),
                      ("00A40804067FFF5FD04F01", "62.*9000"),
                      ("00B0000004", "6982"),
                      (VERIFY_ADM1, "9000"),
                      ("00B0000004", "A00200009000"),
                      (SELECT_ISIM, "9000"),
                      ("00B0820033", impi + "9000"),
                      # the USIM's sequence numbers and its PIN2
                      (authenticate(SET3_RAND, SET3_AUTN), f"DC0E{SET3_AK_STAR}.{{16}}9000"),
                      ("002000810831313131FFFFFFFF", "63C2"),
                      (SELECT_USIM, "9000"),
                      ("00200081", "63C2"),
                      ("002000810839393939FFFFFFFF", "9000"))

    def test_bootstrap(self):
        card, profile, files = self.install("bootstrap")
        self.assertEqual(profile["iccid"], "8900010000000000134")
        self.assertEqual(profile["naas"], [{"aid": AID, "algorithm": "Milenage"}])
        self.assertEqual(self.pins_of(profile), {("3F00", "PIN01"): False, ("3F00", "ADM1"): True})
        for fid in ("6F3B", "6F3C", "6F42", "6F43", "6F56", "6FC4"):
            self.assertNotIn("7FD0/" + fid, files)
        self.assertEqual(len(files), 24)
        self.exchange(card, "980010000000000031F4",
                      (SELECT_USIM, "9000"),
                      (READ_IMSI, "0809101000000000319000"),
                      (authenticate(SET4_RAND, SET4_AUTN), f"DC0E{SET4_AK_STAR}.{{16}}9000"),
                      # the operator's security domain, its card data and its keys
                      ("00A4040008A000000151000000", "6F.*9000"),
                      ("80CA006600", CARD_DATA.hex().upper() + "9000"),
                      ("80CA00E000", "E012C00401028810C00402028810C004030288109000"))

    def test_iot(self):
        card, profile, files = self.install("iot")
        self.assertEqual(profile["iccid"], "8900010000000000142")
        self.assertEqual(profile["naas"], [{"aid": AID, "algorithm": "Milenage"}])
        self.assertEqual(self.pins_of(profile), {("3F00", "PIN01"): False, ("3F00", "ADM1"): True})
        self.assertEqual(files["7FD0/6F07"]["rules"],
                         "read PIN01; update, deactivate, activate, delete ADM1")
        self.assertEqual(len(files), 22)
        self.exchange(card, "980010000000000041F2",
                      ("00A40804022FE2", "62.*9000"),
                      ("00B000000A", "980010000000000041F29000"),
                      ("00A40804022F00", "62.*9000"),
                      ("00B2010426", "61144F0C" + AID + "50045553494D" + "FF" * 16 + "9000"),
                      (SELECT_USIM, "9000"),
                      (READ_IMSI, "0809101000000000419000"),
                      (authenticate(SET5_RAND, SET5_AUTN), f"DC0E{SET5_AK_STAR}.{{16}}9000"),
                      ("00200001", "63C3"),
                      (VERIFY_ADM1, "6983"))


if __name__ == "__main__":
    unittest.main()
