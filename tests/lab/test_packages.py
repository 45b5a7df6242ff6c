#!/usr/bin/python3
"""Every profile package of a folder on a card: it is downloaded from the test SM-DP+ and enabled,
and then each file, PIN and access rule that the terminal meets is compared with what saip.py reads
in the package.

    test_packages.py [FOLDER]...

Without folders, those of our own packages and, where SOFTEUICC_TESTDATA is set, of its ts48/.
SOFTEUICC and SOFTEUICC_LAB are the programs, SOFTEUICC_PROFILE is operational.der with the others
beside it."""

import glob
import json
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import saip  # noqa: E402
from programs import DEADLINE, SOFTEUICC, Scratch, new_card, softeuicc  # noqa: E402
from test_lab import LAB, PROFILE, SmDp  # noqa: E402

SELECT_ISDR = "00A4040010A0000005591010FFFFFFFF8900000100"
EUICC_INFO2 = "80E2910003BF2200"
OK, RUNTIME_NOT_SUPPORTED = 0, 7

# Services of EF.UST and EF.IST that the card takes back where it cannot: GBA, MBMS, keys from GBA,
# SUCI; and the bit of UICCCapability that says whether it can.
PLATFORM_SERVICES = {"7FD0/6F38": {68: 10, 69: 12, 76: 10, 125: 22}, "7FB0/6F07": {2: 11, 4: 11}}

IMPORTANT = {"2FE2", "7FD0/6F07", "7FD0/6FAD", "7FD0/6F38"}  # EF.ICCID, IMSI, AD, UST


def text(path):
    return "/".join(path) or "3F00"


class Terminal:
    """softeuicc apdu."""

    def __init__(self, card):
        self.process = subprocess.Popen([SOFTEUICC, "apdu", card], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def _ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = bytes.fromhex(self.process.stdout.readline())
        return answer[:-2], answer[-2:].hex().upper()

    def send(self, command):
        """The whole answer, and the status word behind it."""
        if isinstance(command, bytes):
            command = command.hex()
        data, sw = self._ask(command)
        while sw[:2] == "61":
            more, sw = self._ask("00C00000" + sw[2:])
            data += more
        return data, sw

    def select(self, p1, data):
        answer, sw = self.send(f"00A4{p1}04{len(data):02X}" + data.hex())
        if sw[:2] in ("62", "63"):
            answer = self.send("00C0000000")[0] or answer
        return answer, sw

    def close(self):
        self.process.stdin.close()
        self.process.wait(DEADLINE)
        self.process.stdout.close()


def conditions(octets):
    """An access rule as a list of (access mode bits, condition); a condition is a tag and value."""
    rules, bits = [], None
    for tag, value in saip.children(octets[:len(octets.rstrip(b"\xFF"))]):
        if tag == "80":
            bits = value[0]
        elif tag[0] == "8" and tag != "80":
            bits = 0  # a command by its header; none is for reading
        else:
            rules.append((bits, (tag, value)))
    return rules


class Reading:
    """One package on one card, compared."""

    def __init__(self, package, terminal, capability):
        self.package, self.terminal = package, terminal
        self.capability = capability
        self.faults = []
        self.counts = {"files": 0, "octets": 0, "records": 0, "denied": 0}
        self.verified = set()
        self.compared = set()  # files whose contents were read

    def fault(self, where, what, got, wanted):
        self.faults.append(f"{where}: {what} {got}, not {wanted}")

    def check(self, where, what, got, wanted):
        if got != wanted:
            self.fault(where, what, got, wanted)

    def go_to(self, path):
        """SELECT, by the application's name and from there on by path; the answer and status."""
        top = self.package.files.get(path[:1])
        if path and top.kind == "ADF":
            answer = self.terminal.select("04", top.aid)
            if len(path) > 1:
                below = bytes.fromhex("".join(("7FFF",) + path[1:]))
                answer = self.terminal.select("08", below)
            return answer
        if path:
            return self.terminal.select("08", bytes.fromhex("".join(path)))
        return self.terminal.select("00", bytes.fromhex("3F00"))

    # --- PINs

    def verify_pins(self):
        pins = dict(self.package.pins)
        for path, source in self.package.shared_pins.items():
            pins.update({(path, number): pin for (of, number), pin in self.package.pins.items()
                         if of == source})
        for (path, number), (value, attributes) in pins.items():
            self.go_to(path)
            sw = self.terminal.send(bytes([0, 0x20, 0, number, 8]) + value)[1]
            enabled = attributes & 1
            self.check(text(path), f"VERIFY {number:02X}", sw, "9000" if enabled else "6984")
            self.verified.add((path, number))

    def satisfied(self, file, condition):
        tag, value = condition
        if tag == "90":
            return True
        if tag == "97":
            return False
        if tag == "A0":
            return any(self.satisfied(file, each) for each in saip.children(value))
        if tag == "A4":
            number = dict(saip.children(value))["83"][0]
            around = file.path
            while number & 0x80 and around:
                around = around[:-1]
                if (around, number) in self.verified:
                    return True
            return ((), number) in self.verified
        raise saip.Unknown(f"{text(file.path)}: condition {tag}")

    def readable(self, file):
        fid, number = file.rule
        around = file.path
        while around:
            around = around[:-1]
            arr = self.package.files.get(around + (fid,))
            if arr is not None:
                break
        else:
            return False
        body = arr.target or arr
        record = body.content[(number - 1) * body.record:number * body.record]
        record = bytes(0xFF if octet is None else octet for octet in record)
        for bits, condition in conditions(record):
            if bits & 1:
                return self.satisfied(file, condition)
        return False

    # --- files

    def compare(self):
        self.verify_pins()
        for path, file in self.package.files.items():
            self.counts["files"] += 1
            answer, sw = self.go_to(path)
            where = text(path)
            if sw != "9000":
                self.fault(where, "SELECT", sw, "9000")
                continue
            self.compare_fcp(where, file, answer)
            if not file.is_df:
                self.compare_contents(where, file)

    def compare_fcp(self, where, file, answer):
        tag, value, rest = saip.take(answer)
        self.check(where, "FCP", (tag, rest), ("62", b""))
        fcp = dict(saip.children(value))
        kinds = {"TR": 0x41, "LF": 0x42, "CY": 0x46, "BT": 0x79}
        descriptor = bytes([kinds.get(file.kind, 0x78), 0x21])
        if file.kind in ("LF", "CY"):
            descriptor += file.record.to_bytes(2, "big") + bytes([file.size // file.record])
        self.check(where, "descriptor", fcp["82"].hex(), descriptor.hex())
        self.check(where, "FID", fcp["83"].hex().upper(), file.fid if file.path else "3F00")
        self.check(where, "life cycle", fcp["8A"][0], file.lcsi)
        if file.rule is not None:
            rule = bytes.fromhex(file.rule[0]) + bytes([file.rule[1]])
            self.check(where, "access rule", fcp["8B"].hex(), rule.hex())
        if file.is_df:
            if file.aid is not None:
                self.check(where, "AID", fcp["84"].hex(), file.aid.hex())
            if file.pins is not None:
                listed = saip.children(fcp["C6"])
                self.check(where, "PINs", b"".join(v for t, v in listed if t == "83").hex(),
                           file.pins.hex())
            return
        self.check(where, "size", int.from_bytes(fcp["80"], "big"), file.size)
        if file.sfi is not None:
            sfi = fcp["88"][0] >> 3 if fcp["88"] else 0
            self.check(where, "SFI", sfi, file.sfi)
        if file.special is not None:
            special = dict(saip.children(fcp.get("A5", b""))).get("C0", b"\0")
            self.check(where, "special file information", special.hex(), f"{file.special:02x}")

    def compare_contents(self, where, file):
        wanted = (file.target or file).content
        readable = self.readable(file)
        if file.kind == "BT":
            got = self.read_ber_tlv(where, readable)
        elif file.kind == "TR":
            got = self.read_transparent(where, file, readable)
        else:
            got = self.read_records(where, file, readable)
        if not readable:
            self.counts["denied"] += 1
        if got is None:
            return
        self.counts["octets"] += len(got)
        if file.kind != "BT":
            wanted = [mine if octet is None else octet
                      for octet, mine in zip(self.edited(where, wanted), got)]
        self.check(where, "contents", got.hex(), bytes(wanted).hex())
        self.compared.add(where)

    def edited(self, where, content):
        content = list(content)
        for service, bit in PLATFORM_SERVICES.get(where, {}).items():
            at, mask = (service - 1) // 8, 1 << (service - 1) % 8
            if at < len(content) and bit not in self.capability:
                content[at] &= ~mask
        return content

    def told(self, where, sw, readable):
        """Whether it could be read; it must be as the access rule says."""
        if readable and sw == "9000":
            return True
        self.check(where, "reading", sw, "9000" if readable else "6982")
        return False

    def read_transparent(self, where, file, readable):
        got = b""
        while len(got) < file.size:
            n = min(255, file.size - len(got))
            data, sw = self.terminal.send(f"00B0{len(got):04X}{n:02X}")
            if not self.told(where, sw, readable):
                return None
            got += data
        return got

    def read_records(self, where, file, readable):
        got = b""
        for number in range(1, file.size // file.record + 1):
            data, sw = self.terminal.send(f"00B2{number:02X}04{file.record:02X}")
            if not self.told(where, sw, readable):
                return None
            got += data
            self.counts["records"] += 1
        self.check(where, "record behind the last",
                   self.terminal.send(f"00B2{number + 1:02X}04{file.record:02X}")[1],
                   "6A83" if number < 254 else "6A86")
        return got

    def retrieve(self, tag):
        data, sw = self.terminal.send(f"80CB0080{len(tag):02X}{tag.hex()}00")
        while sw == "62F1":
            more, sw = self.terminal.send("80CB000000")
            data += more
        return data, sw

    def read_ber_tlv(self, where, readable):
        tags, sw = self.retrieve(b"\x5C")
        if not self.told(where, sw, readable):
            return None
        got = b""
        for tag in tags_of(saip.take(tags)[1] if tags else b""):
            data, sw = self.retrieve(tag)
            self.check(where, f"RETRIEVE DATA {tag.hex()}", sw, "9000")
            got += data
        return got


def tags_of(octets):
    while octets:
        n = 1
        if octets[0] & 0x1F == 0x1F:
            while octets[n] & 0x80:
                n += 1
            n += 1
        yield octets[:n]
        octets = octets[n:]


def paths_of(node, path=()):
    """What show tells of the files, as paths."""
    yield path
    for child in node.get("files", []):
        yield from paths_of(child, path + (child["fid"],))


def profiles_of(card):
    return json.loads(softeuicc("show", card, "--json").stdout)["profiles"]


def packages():
    folders = sys.argv[1:]
    if not folders:
        folders = [os.path.dirname(PROFILE)]
        if "SOFTEUICC_TESTDATA" in os.environ:
            folders.append(os.path.join(os.environ["SOFTEUICC_TESTDATA"], "ts48"))
        else:
            print("skipped: TS.48: SOFTEUICC_TESTDATA is not set")
    return [path for folder in folders for path in sorted(glob.glob(os.path.join(folder, "*.der")))]


class PackagesTest(unittest.TestCase):
    maxDiff = None
    downloads = 0

    @classmethod
    def setUpClass(cls):
        cls.packages = packages()
        cls.scratch = Scratch()
        cls.addClassCleanup(cls.scratch.remove)
        cls.folder = os.path.join(cls.scratch.path, "profiles")
        os.mkdir(cls.folder)
        for number, package in enumerate(cls.packages):
            shutil.copyfile(package, os.path.join(cls.folder, f"P{number}.der"))
        cls.dp = SmDp(cls.folder)
        cls.addClassCleanup(cls.dp.stop)
        cls.addClassCleanup(cls.dp.connection.close)

    def ipa(self, card, *arguments):
        return subprocess.run([LAB, "ipa", "--json", "--card", card, *arguments], text=True,
                              capture_output=True, timeout=DEADLINE, check=False)

    def download(self, number, *settings):
        """A card with the package, and what the SM-DP+ was told: the status values of the card's
        answer, whether it gave up, and the ICCID."""
        card = new_card(self.scratch.path, *settings, name=f"card-{number}{len(settings)}")
        self.ipa(card, "download", self.dp.code(f"P{number}"))
        type(self).downloads += 1
        self.dp.says('"profileInstallationResult"', self.downloads)
        told = [line for line in self.dp.log() if "simaResponse" in line][-1]
        self.assertEqual((told["matchingId"], told["verified"]), (f"P{number}", True))
        tag, value, rest = saip.take(bytes.fromhex(told["simaResponse"]))
        self.assertEqual((tag, rest), ("30", b""))
        fields = dict(saip.children(value))
        statuses = [dict(saip.children(status))["80"][0]
                    for _, status in saip.children(fields["A0"])]
        return card, statuses, "81" in fields, told.get("iccid")

    def test_each_is_on_the_card_what_the_package_describes(self):
        self.assertTrue(self.packages)
        total = {}
        for number, path in enumerate(self.packages):
            name = os.path.basename(path)
            with self.subTest(name), open(path, "rb") as f:
                try:
                    package = saip.Package(f.read())
                except saip.Unknown as why:
                    print(f"{name}: not compared: {why}")
                    continue
                counts = self.one(number, package)
                print(f"{name}:", ", ".join(f"{n} {what}" for what, n in counts.items()))
                for what, n in counts.items():
                    total[what] = total.get(what, 0) + n
                total["packages"] = total.get("packages", 0) + 1
        print("all:", ", ".join(f"{n} {what}" for what, n in total.items()))

    def one(self, number, package):
        settings, wanted = [], [OK]
        if saip.SERVICE_JAVACARD in package.services:
            card, statuses, gave_up, _ = self.download(number)
            self.assertEqual((statuses, gave_up), ([RUNTIME_NOT_SUPPORTED], True))
            self.assertEqual(profiles_of(card), [])
            settings, wanted = ["--set", "javacard=record"], [RUNTIME_NOT_SUPPORTED, OK]
        card, statuses, gave_up, iccid = self.download(number, *settings)
        self.assertEqual((statuses, gave_up), (wanted, False))
        self.assertEqual(iccid, package.iccid.rstrip("F"))
        self.assertEqual(self.ipa(card, "enable", iccid).returncode, 0)

        (profile,) = profiles_of(card)
        self.assertEqual(profile["state"], "enabled")
        self.assertEqual(sorted(paths_of(profile["files"])), sorted(package.files))

        reading = self.read(package, card)
        self.assertEqual(reading.faults, [])
        self.assertLessEqual(IMPORTANT, reading.compared)
        return reading.counts

    def read(self, package, card):
        terminal = Terminal(card)
        self.addCleanup(terminal.close)
        reading = Reading(package, terminal, self.capability(terminal))
        reading.compare()
        return reading

    def capability(self, terminal):
        """The bits of UICCCapability in EUICCInfo2."""
        terminal.send(SELECT_ISDR)
        info2 = dict(saip.children(saip.take(terminal.send(EUICC_INFO2)[0])[1]))
        bits = info2["85"][1:]
        return {n for n in range(8 * len(bits)) if bits[n // 8] & 0x80 >> n % 8}

    def test_what_differs_is_seen(self):
        with open(PROFILE, "rb") as f:
            package = saip.Package(f.read())
        card = new_card(self.scratch.path, "--profile", PROFILE, name="card-differs")
        self.assertEqual(self.ipa(card, "enable", package.iccid.rstrip("F")).returncode, 0)
        imsi, iccid, ecc = (package.files[path] for path in
                            (("7FD0", "6F07"), ("2FE2",), ("7FD0", "6FB7")))
        imsi.content[8] ^= 1
        iccid.rule = ("2F06", 3)  # nobody reads it without ADM1, which is verified
        ecc.sfi += 1
        package.pins[(), 1] = (b"0000\xFF\xFF\xFF\xFF", 7)
        self.assertEqual([fault.split(" ")[:2] for fault in self.read(package, card).faults],
                         [["3F00:", "VERIFY"], ["2FE2:", "access"], ["7FD0/6F07:", "contents"],
                          ["7FD0/6FB7:", "SFI"]])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
