#!/usr/bin/python3
"""Write the seeds of the fuzz targets: make_corpus.py BUILD-DIRECTORY

Everything comes from this tree: certificates of certs/, our own profile package and the card
in the build directory, the transcripts of tests/apdu, the catalogue of tests/conformance.  Run it
again when one of them, or the form of an input, has changed, and commit what it writes to
tests/fuzz/corpus.  Files whose names begin with "found-" are inputs that once found a bug; they
stay.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TREE = HERE.parent.parent
CORPUS = HERE / "corpus"
STEPS_OF_A_SEED = 48  # fuzz_apdu takes 64
CASES_OF_A_SCRIPT = 3
LONGEST_APDU_SEED = 4096  # octets of a transcript; longer ones are for the conformance tests


# --- octets ---------------------------------------------------------------------------------------


def u16(n):
    return n.to_bytes(2, "big")


def tlv(tag, *parts):
    value = b"".join(parts)
    head = bytes.fromhex(f"{tag:X}" if len(f"{tag:X}") % 2 == 0 else f"0{tag:X}")
    n = len(value)
    if n < 0x80:
        return head + bytes([n]) + value
    length = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return head + bytes([0x80 | len(length)]) + length + value


def split(octets):
    """The TLVs that follow one another, each as (tag octets, whole, value)."""
    at = 0
    while at < len(octets):
        start = at
        at += 1
        if octets[start] & 0x1F == 0x1F:
            while octets[at] & 0x80:
                at += 1
            at += 1
        tag = octets[start:at]
        n = octets[at]
        at += 1
        if n & 0x80:
            size = n & 0x7F
            n = int.from_bytes(octets[at:at + size], "big")
            at += size
        yield tag, octets[start:at + n], octets[at:at + n]
        at += n


def write(target, name, octets):
    path = CORPUS / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(octets)


# --- the card -------------------------------------------------------------------------------------

ES10 = {
    "get-info1": "BF2000", "get-info2": "BF2200", "get-challenge": "BF2E00",
    "get-eid": "BF3E035C015A", "get-addresses": "BF3C00", "get-rat": "BF4300",
    "profiles": "BF2D00", "profiles-some-tags": "BF2D0A5C085A4F9F7090919293",
    "profiles-by-iccid": "BF2D0EA00C5A0A980010000000000010F9",
    "profiles-by-class": "BF2D05A003950102",
    "list-notifications": "BF2800", "list-notifications-enable": "BF2804810206C0",
    "retrieve": "BF2B00", "retrieve-one": "BF2B05A003800101", "sent": "BF3003800101",
    "set-dp": "BF3F0C800A64702E6578616D706C65",
    "nickname": "BF29105A0A980010000000000010F99002416F",
    "enable": "BF3111A00C5A0A980010000000000010F9810100",
    "enable-refresh": "BF3111A00C5A0A980010000000000010F98101FF",
    "disable": "BF3211A00C5A0A980010000000000010F9810100",
    "delete": "BF330C5A0A980010000000000010F9",
    "memory-reset": "BF340482020560", "memory-reset-all": "BF3404820205E0",
    "cancel": "BF4117801000112233445566778899AABBCCDDEEFF810103",
    "lpae": "BF4203A00130", "unknown": "BF7F00", "crl": "BF35023000",
    "eims": "BF5500", "eims-by-id": "BF5506800465696D31", "certs": "BF5600",
    "certs-by-ci": "BF56168014" + "F5" * 20, "rollback": "BF5803800100",
    "configure-immediate": "BF59028000", "immediate-enable": "BF5A03800100",
    "enable-emergency": "BF5B03800100", "disable-emergency": "BF5C03800100",
    "execute-fallback": "BF5D03800100", "return-from-fallback": "BF5E03800100",
    "connectivity": "BF5F038101FF", "iot-reset": "BF640482020560",
    "iot-reset-all": "BF6404820201FE", "iot-set-dp": "BF650C800A64702E6578616D706C65",
    "results": "BF2B028200", "results-some": "BF2B0681040780FFFF",
}
SELECT_ISDR = "00A4040010A0000005591010FFFFFFFF8900000100"
APDUS = {
    "select-isdr": [SELECT_ISDR], "channel": ["0070000001", "0070800100"],
    "select-on-1": ["0070000001", "01" + SELECT_ISDR[2:], "81E2910003BF2000"],
    "chained": [SELECT_ISDR, "90E2910003BF3E03", "80E29100035C015A"],
    "blocks": [SELECT_ISDR, "80E2110003BF3E03", "80E29101035C015A", "00C0000015"],
    "wrong-block": [SELECT_ISDR, "80E2110003BF3E03", "80E29102035C015A"],
    "extended": [SELECT_ISDR, "80E29100000006BF3E035C015A0000"],
    "ecasd": ["00A4040010A0000005591010FFFFFFFF8900000200", "00CA005A00"],
    "get-data": [SELECT_ISDR, "80CA005A00", "80CABF2000"],
    "status": ["80F2000000", "80F2000100"], "capability": ["80AA00000AA9088100820101830107"],
    "terminal-profile": ["8010000008FFFFFFFF7F9D00DF"], "fetch": ["8012000010"],
    "mf": ["00A40004023F00", "00B0000010", "00A40804022FE2", "00B000000A"],
    "nothing": [""], "short": ["00A4"], "bad-class": ["FF00000000", "6000000000", "0C000000"],
    "bad-lc": ["00A40004053F00", "00A400040000"],
}
RAND = "23553CBE9637A89D218AE64DAE47BF35"
UICC = {  # with ADM1 verified and the USIM selected
    "files": ["00A40804022F0500", "00D60000026465", "00B0000000", "00B0870000", "00A4080C022F06",
              "00B2010400", "00A2010403800103", "00A2010606040383018100", "80F2000000"],
    "admin": ["00A4000C023F00", "00E000001862168202412183026F118A01058B032F060A800200048800",
              "00D600000401020304", "00040000026F11", "00440000026F11", "00E40000026F11"],
    "cyclic": ["00A4080C022F06", "00DC0D0421800103A40683010A9501088401D4A40683010A950108840132"
               "A40683010A950108", "00A4000C023F00",
               "00E000001B62198205462100030383026F398A01058B032F060D800200098800",
               "00DC000303000001", "803200000300000500", "00B2010400",
               "80D400000A620883026F3980020006", "00E40000026F39"],
    "ber-tlv": ["00A4000C023F00", "00E000001E621C8202792183026F508A01058B032F060A80020040A5048002"
                "00408800", "80DB00800481020102", "80CB0080018100", "80CB0080015C00"],
    "df": ["00A4000C023F00", "00E000001A62188202782183025F118A01058B032F060EC60690010083010A",
           "00E000001862168202412183024F118A01058B032F060A800200048800", "00A4030C",
           "00E40000025F11"],
    "pins": ["002000010830303030FFFFFFFF", "002800010830303030FFFFFFFF",
             "00200001083030303000000000", "002C000110313131313131313130303030FFFFFFFF",
             "002400811039393939FFFFFFFF31323334FFFFFFFF",
             "002600010830303030FFFFFFFF"],
    "auth": [f"008800812210{RAND}10AA689C648351800041ED662AE8C74ECD00",
             f"008800812210{RAND}10AA689C648351800041ED662AE8C74ECD00",
             f"008800812210{RAND}10AA689C648351800041ED662AE8C74ECC00",
             f"008800801110{RAND}00", "8078000100"],
}


def transmit(card, lines):
    """Talks to a card file with softeuicc apdu; the responses as octets."""
    run = subprocess.run(card, input="\n".join(lines) + "\n", capture_output=True,
                         text=True, check=True)
    return [bytes.fromhex(line) for line in run.stdout.split("\n")[:-1]]


def es10_answers(softeuicc, profile):
    """name -> answer of a card with our profile on it."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(pathlib.Path(folder) / "card")
        subprocess.run([softeuicc, "new", path, "--profile", str(profile)], check=True,
                       stdout=subprocess.DEVNULL)
        answers = {}
        for name, request in ES10.items():
            octets = bytes.fromhex(request)
            store = (bytes([0x80, 0xE2, 0x91, 0x00, len(octets)]) + octets).hex()
            got = transmit([softeuicc, "apdu", path], ["reset", SELECT_ISDR, store]
                           + ["00C0000000"] * 12)[2:]
            answer = b""
            for response in got:
                answer += response[:-2]
                if response[-2] != 0x61:
                    break
            answers[name] = answer
        answers["get-challenge"] = tlv(0xBF2E, tlv(0x80, bytes(range(16))))  # the same each time
        return answers


# --- targets --------------------------------------------------------------------------------------


def step(kind, octets):
    return kind.encode() + u16(len(octets)) + octets


def seeds_apdu():
    for name, request in ES10.items():
        write("fuzz_apdu", f"es10-{name}", b"\x01" + step("E", bytes.fromhex(request)))
    for name, apdus in APDUS.items():
        write("fuzz_apdu", name, b"\x00" + b"".join(step("A", bytes.fromhex(a)) for a in apdus))
    e = {name: step("E", bytes.fromhex(request)) for name, request in ES10.items()}
    write("fuzz_apdu", "life", b"\x01" + e["enable"] + b"R" + e["profiles"] + e["disable"]
          + e["nickname"] + e["delete"] + e["retrieve"] + e["sent"] + e["list-notifications"])
    write("fuzz_apdu", "life-strict", b"\x03" + e["enable-refresh"] + e["memory-reset"]
          + e["profiles"] + b"O" + e["retrieve"])
    for n in range(6):
        write("fuzz_apdu", f"cut-{n}", b"\x01" + e["get-eid"] + b"C" + bytes([n]) + e["enable"]
              + e["profiles"] + b"C" + bytes([n]) + e["delete"] + e["retrieve"])
    for path in sorted((TREE / "tests" / "apdu").glob("*.txt")):
        if path.stem.startswith("uicc-"):
            continue
        octets = b"\x01" + b"".join(step("A", a) for a in transcript(path) if a is not None)
        if 1 < len(octets) <= LONGEST_APDU_SEED:
            write("fuzz_apdu", f"transcript-{path.stem}", octets)
    seeds_uicc()


def transcript(path):
    """Its APDUs, and None for a reset; without those that only the player can complete."""
    for line in path.read_text().splitlines():
        if line.startswith("reset"):
            yield None
        elif line.startswith(">"):
            digits = "".join(c for c in line[1:].split("#")[0] if not c.isspace())
            try:
                yield bytes.fromhex(digits)
            except ValueError:
                pass


USIM = bytes.fromhex("00A4040C07A0000000871002")
ADM1 = bytes.fromhex("0020000A083535353535353535")


def seeds_uicc():
    """On an enabled profile: the transcripts about it, in parts that an input has room for."""
    for path in sorted((TREE / "tests" / "apdu").glob("uicc-*.txt")):
        steps = [b"R" if a is None else step("A", a) for a in transcript(path)]
        for i in range(0, len(steps), STEPS_OF_A_SEED):
            octets = b"".join([step("A", ADM1), step("A", USIM)] if i > 0 else [])
            octets += b"".join(steps[i:i + STEPS_OF_A_SEED])
            write("fuzz_apdu", f"{path.stem}-{i // STEPS_OF_A_SEED}", b"\x05" + octets)
    for name, apdus in UICC.items():
        octets = b"".join(step("A", bytes.fromhex(a)) for a in apdus)
        write("fuzz_apdu", f"uicc-{name}", b"\x05" + step("A", ADM1) + step("A", USIM) + octets)
        for n in range(0, 6, 2):
            write("fuzz_apdu", f"uicc-{name}-cut-{n}", b"\x05" + step("A", ADM1)
                  + step("A", USIM) + b"".join(b"C" + bytes([n]) + step("A", bytes.fromhex(a))
                                                for a in apdus))


EID = tlv(0x5A, bytes.fromhex("89049032123451234512345678901235"))
ICCID = tlv(0x5A, bytes.fromhex("980010000000000010F9"))
EIM_POINT = ("04E4D8B6D33CC5ABB9E3BBF5E14A4CDFE5149D89C1B84C4FEB6A1DEDE7D76BB583"
             "F86E67CCB52EB18BE188EEFB8A8394F32B609E2E7B35F0BBAD8855CC40A02D45")
EIM_OTHER_POINT = ("04F5F3CDD834A93DBB9C2C99ECA68279C4ADE727F38970731852152362E9217FAD"
                   "E4440C7EA9282F80BC9846AA027D02EE8BBCE7B2D3CE966EEC8608FCC56F4B0E")
PSMOS_BY_VERSION = ("enable-granted", "delete", "fallback", "default-dp", "infos", "immediate",
                    "switch-and-delete", "result-too-large", "all")


def eim_configuration(*more, eim=b"eim1", point=EIM_POINT):
    """EimConfigurationData's contents."""
    key = tlv(0x30, bytes.fromhex("06072A8648CE3D020106082A8648CE3D030107"))
    return b"".join((tlv(0x80, eim), tlv(0x83, b"\0"),
                     tlv(0xA5, tlv(0xA0, key, tlv(3, b"\0" + bytes.fromhex(point))))) + more)


def iccid_of(digit):
    return tlv(0x5A, bytes.fromhex(f"9800100000000000{digit}0F9"))


def seeds_package():
    """Every operation by itself, and together with those that it has to do with."""
    enable = [tlv(0xA3, iccid_of(n)) for n in range(1, 5)]
    granted = [tlv(0xA3, iccid_of(n), tlv(5)) for n in range(1, 4)]
    disable, delete = ([tlv(tag, iccid_of(n)) for n in range(1, 4)] for tag in (0xA4, 0xA5))
    fallback = [tlv(0xA8, iccid_of(n)) for n in range(1, 4)]
    unset, rat, infos = tlv(0xA9), tlv(0xA6), tlv(0xBF2D)
    psmos = {
        "enable": enable[1], "enable-granted": granted[1], "enable-flag-81":
        tlv(0xA3, iccid_of(2), tlv(0x81, b"\xff")), "enable-again": enable[0],
        "enable-emergency": enable[2], "enable-none": enable[3],
        "enable-two": enable[1] + enable[0],
        "disable": disable[0], "disable-other": disable[1], "delete": delete[1],
        "delete-enabled": delete[0], "switch-and-delete": disable[0] + enable[1] + delete[0],
        "granted-delete": granted[1] + delete[0], "infos": infos, "rat": rat,
        "infos-some": tlv(0xBF2D, iccid_of(1), tlv(0x5C, bytes.fromhex("5A9F7091929F679F7B9F26"))),
        "infos-of-class": tlv(0xBF2D, tlv(0xA0, tlv(0x95, b"\2"))), "infos-late": enable[1] + infos,
        "immediate": tlv(0xA7, tlv(0x80), tlv(0x81, bytes.fromhex("88370A")), tlv(0x82, b"dp.x")),
        "immediate-none": tlv(0xA7), "fallback": fallback[1], "fallback-enabled": fallback[0],
        "fallback-emergency": fallback[2], "unset": unset, "set-unset": fallback[1] + unset,
        "default-dp": tlv(0xBF65, tlv(0x80, b"dp.example.com")), "no-dp": tlv(0xBF65, tlv(0x80)),
        "unknown": tlv(0xAC), "damaged": b"\xa3\x7f\x5a", "no-iccid": tlv(0xA3), "none": b"",
        "result-too-large": infos * 8, "all": rat + infos + disable[0] + granted[1] + delete[2],
    }
    config = tlv(0xA8, eim_configuration(tlv(0x84, b"\xff"), eim=b"eim2"))
    by_id = tlv(0xA9, tlv(0x80, b"eim1"))
    listing = tlv(0xAB)
    ecos = {
        "add": config, "add-twice": config + config, "add-plain":
        tlv(0xA8, eim_configuration(eim=b"eim2")), "add-all-fields":
        tlv(0xA8, eim_configuration(
            tlv(0x81, b"eim.example"), tlv(0x82, b"\2"), tlv(0x87, b"\7\x80"), tlv(0x89),
            tlv(0x88, bytes(20)), tlv(0xAA, tlv(0x0C, b"x")), eim=b"eim2")),
        "delete": by_id, "delete-and-add": by_id + tlv(0xA8, eim_configuration(tlv(0x84, b"\xff"))),
        "delete-none": tlv(0xA9, tlv(0x80, b"eim9")), "list": listing,
        "list-after": config + listing,
        "update-counter": tlv(0xAA, tlv(0x80, b"eim1"), tlv(0x83, b"\x40")),
        "update-key": tlv(0xAA, eim_configuration(point=EIM_OTHER_POINT)),
        "update-token": tlv(0xAA, tlv(0x80, b"eim1"), tlv(0x84, b"\xff")),
        "update-fqdn": tlv(0xAA, tlv(0x80, b"eim1"), tlv(0x81, b"eim.example")),
        "update-none": tlv(0xAA, tlv(0x80, b"eim9")), "update-ci":
        tlv(0xAA, tlv(0x80, b"eim1"), tlv(0x88, bytes(20))), "bad-point":
        tlv(0xA8, eim_configuration(eim=b"eim2", point="04" + "11" * 64)), "none": b"",
        "unknown": tlv(0xAC), "too-many": b"".join(
            tlv(0xA8, eim_configuration(eim=b"m%d" % n)) for n in range(3)),
    }
    for name, octets in psmos.items():
        for kind in (4, 5, 15) if name in PSMOS_BY_VERSION else (6,):
            write("fuzz_package", f"psmo-{name}-{kind}", bytes([kind]) + step("P", octets))
    for name, octets in ecos.items():
        write("fuzz_package", f"eco-{name}", b"\x04" + step("C", octets) + step("C", listing))
    es10 = {name: step("E", bytes.fromhex(request)) for name, request in ES10.items()}
    switch, back, back_again = (step("P", o) for o in (granted[1], enable[0], enable[1]))
    lives = {
        "rollback": switch + es10["rollback"] + es10["results"] + es10["sent"],
        "rollback-reset": switch + b"R" + es10["rollback"] + es10["rollback"],
        "rollback-ended": switch + back + es10["rollback"],
        "rollback-one-deleted": switch + step("P", delete[0]) + es10["rollback"],
        "fallback": es10["execute-fallback"] + step("P", delete[0]) + es10["return-from-fallback"],
        "fallback-set": step("P", fallback[1]) + es10["execute-fallback"] + back_again + back,
        "emergency": es10["enable-emergency"] + back + es10["disable-emergency"] + back_again,
        "emergency-reset": es10["enable-emergency"] + b"R" + es10["execute-fallback"] + back_again
        + es10["iot-reset-all"], "results-full": back_again + back + back_again + back,
        "reset-eims": back_again + es10["iot-reset-all"] + back,
        "cat": step("A", bytes.fromhex("8010000004FFFFFFFF")) + switch
        + step("A", bytes.fromhex("8012000000")) + es10["rollback"],
        "certs": es10["certs"] + es10["eims"] + es10["connectivity"] + es10["configure-immediate"],
        "nobody-signed": step("X", tlv(0x30, tlv(0x80, b"eim1"), EID, tlv(0x81, b"\1"),
                                       tlv(0xA0, enable[1])) + tlv(0x5F37, bytes(64))),
        "nobody": step("X", tlv(0x30, tlv(0x80, b"eim9"), EID)),
        "no-id": step("X", tlv(0x30, EID)), "long-id": step("X", tlv(0x30, tlv(0x80, b"x" * 300))),
        "fields": step("S", tlv(0x80, b"eim1") + EID + tlv(0x81, b"\1") + tlv(0xA0, enable[1])),
        "both": step("S", tlv(0x80, b"eim1") + EID + tlv(0x81, b"\1") + tlv(0xA0) + tlv(0xA1)),
        "old": step("S", tlv(0x80, b"eim1") + EID + tlv(0x81, b"\0") + tlv(0xA0)),
        "far": step("S", tlv(0x80, b"eim1") + EID + tlv(0x81, b"\x7f" * 12) + tlv(0xA0)),
        "long-ids": step("S", tlv(0x80, b"eim1") + EID + tlv(0x81, b"\1") + tlv(0x82, bytes(16))
                         + tlv(0xA1, listing)),
    }
    for name, octets in lives.items():
        for kind in (4, 12, 20):
            write("fuzz_package", f"{name}-{kind}", bytes([kind]) + octets)
    for n in range(0, 12, 2):
        write("fuzz_package", f"cut-{n}", b"\x04W" + bytes([n]) + switch + es10["rollback"])


def seeds_tlv(answers):
    for n in (0, 1, 0x7F, 0x80, 0xFF, 0x100):
        write("fuzz_tlv", f"length-{n}", tlv(0x5A, bytes(n)))
    write("fuzz_tlv", "numbers",
          tlv(0x30, tlv(2, b"\x00\xff"), tlv(2, b"\x7f"), tlv(3, b"\x06\x40"), tlv(2, bytes(9)),
              tlv(3, b"\x00")))
    for name, digits in {"tags": "5A00 9F7000 BF2D00 DFFF7F00 1F800100",
                         "long-lengths": "30811030 84000000053082000101308001",
                         "broken": "3085000000000100"}.items():
        write("fuzz_tlv", name, bytes.fromhex(digits))
    for name in ("get-info2", "profiles", "retrieve"):
        write("fuzz_tlv", f"answer-{name}", answers[name])


# ES10 name -> types of its request and its answer
TYPES = {
    "get-info1": ("GetEuiccInfo1Request", "EUICCInfo1"),
    "get-info2": ("GetEuiccInfo2Request", "EUICCInfo2"),
    "get-challenge": ("GetEuiccChallengeRequest", "GetEuiccChallengeResponse"),
    "get-eid": ("GetEuiccDataRequest", "GetEuiccDataResponse"),
    "get-addresses": ("EuiccConfiguredAddressesRequest", "EuiccConfiguredAddressesResponse"),
    "get-rat": ("GetRatRequest", "GetRatResponse"),
    "profiles": ("ProfileInfoListRequest", "ProfileInfoListResponse"),
    "list-notifications": ("ListNotificationRequest", "ListNotificationResponse"),
    "retrieve": ("RetrieveNotificationsListRequest", "RetrieveNotificationsListResponse"),
    "set-dp": ("SetDefaultDpAddressRequest", "SetDefaultDpAddressResponse"),
    "nickname": ("SetNicknameRequest", "SetNicknameResponse"),
    "enable": ("EnableProfileRequest", "EnableProfileResponse"),
    "disable": ("DisableProfileRequest", "DisableProfileResponse"),
    "delete": ("DeleteProfileRequest", "DeleteProfileResponse"),
    "memory-reset": ("EuiccMemoryResetRequest", "EuiccMemoryResetResponse"),
    "cancel": ("CancelSessionRequest", "CancelSessionResponse"),
}


def seeds_der(profile, answers):
    for i, (_, whole, _) in enumerate(split(profile)):
        write("fuzz_der", f"element-{i:02}", b"ProfileElement\0" + whole)
    for name, (request, answer) in TYPES.items():
        write("fuzz_der", f"{name}-request", request.encode() + b"\0" + bytes.fromhex(ES10[name]))
        if answers[name]:
            write("fuzz_der", f"{name}-answer", answer.encode() + b"\0" + answers[name])
    write("fuzz_der", "metadata", b"StoreMetadataRequest\0" + metadata())
    ppk = tlv(0xBF26, *(tlv(0x80 + i, bytes([i] * 16)) for i in range(3)))
    write("fuzz_der", "keys", b"ReplaceSessionKeysRequest\0" + ppk)
    write("fuzz_der", "unknown-field",
          b"EUICCInfo1\0" + tlv(0xBF20, tlv(0x9F50, b"\1"), answers["get-info1"][3:]))
    # What der_is_canonical() has to tell apart.
    for name, digits in {"indefinite": "3080020101 0000", "long-length": "3081 03 020101",
                         "negative": "0201FF", "boolean": "010101", "padded": "02020001",
                         "bits": "0302 0801", "empty-bits": "0300", "tag": "1F800100"}.items():
        write("fuzz_der", f"strict-{name}", b"Octet1\0" + bytes.fromhex(digits))
    write("fuzz_der", "strict-deep", b"\0" + nested(40))


def seeds_sgp32():
    """Messages of SGP.32 for fuzz_der, with signatures that nobody made."""
    eim, counter, tid = tlv(0x80, b"eim1"), tlv(0x81, b"\x01"), tlv(0x82, b"\x11\x22")
    seq, sig = tlv(0x83, b"\x05"), tlv(0x5F37, bytes(64))
    cert = (tlv(0x30, tlv(2, b"\x02")), tlv(0x30, tlv(6, b"\x2a\x03")), tlv(3, b"\x00\x04"))
    key = tlv(0xA0, tlv(0x30, tlv(6, b"\x2a\x03")), tlv(3, b"\x00\x04"))
    config = (eim, tlv(0x81, b"eim.example"), tlv(0x82, b"\x02"), tlv(0x83, b"\x00"),
              tlv(0x84, b"\xff"), tlv(0xA5, key), tlv(0xA6, tlv(0xA1, *cert)),
              tlv(0x87, b"\x07\x80"), tlv(0x88, bytes(20)), tlv(0x89))

    def request(package):
        return tlv(0xBF51, tlv(0x30, eim, EID, counter, tid, package), sig)

    def result(*results):
        return tlv(0xBF51, tlv(0xA0, tlv(0x30, eim, counter, tid, seq, tlv(0x30, *results)), sig))

    psmos = tlv(0xA0, tlv(0xA3, ICCID, tlv(5)), tlv(0xA4, ICCID), tlv(0xA5, ICCID),
                tlv(0xBF2D, tlv(0x5C, b"\x5a")), tlv(0xA6), tlv(0xA7, tlv(0x80)),
                tlv(0xA8, ICCID), tlv(0xA9), tlv(0xBF65, tlv(0x80, b"dp.example")))
    ecos = tlv(0xA1, tlv(0xA8, *config), tlv(0xA9, eim), tlv(0xAA, eim), tlv(0xAB))
    ok = result(tlv(0x83, b"\x00"))
    meta = tlv(0xBF2F, tlv(0x80, b"\x07"), tlv(0x81, b"\x07\x80"), tlv(0x0C, b"dp.x"), ICCID)
    other = tlv(0x30, meta, sig, tlv(0x30, *cert), tlv(0x30, *cert))
    compact_pir = tlv(0xA0, tlv(0xA0, tlv(0x80, b"\x11"), tlv(2, b"\x07"),
                                tlv(0xA2, tlv(0xA0, tlv(0x4F, b"\x10\x00")))), sig)
    notifications = tlv(0xA0, other, compact_pir, tlv(0xA1, EID, meta, sig))
    device = (tlv(0x80, bytes(4)), tlv(0xA1))
    ctx = tlv(0xA0, tlv(0x80), tlv(0xA1, *device))
    info1 = tlv(0xBF20, tlv(0x82, b"\2\5\0"), tlv(0xA9), tlv(0xAA))
    signed1 = tlv(0x30, tlv(0x80, b"\x11"), tlv(0x81, bytes(16)), tlv(0x83, b"dp.x"),
                  tlv(0x84, bytes(16)))
    data_request = tlv(0xBF52, tlv(0x5C, bytes.fromhex("81BF20BF228384A5A6A8A9A0A2")),
                       tlv(0xA1, tlv(0x80, b"\5")), tlv(0xA2, tlv(0x80, b"\6")),
                       tlv(0x83, b"\x11"))
    data = tlv(0xBF52, tlv(0xA0, notifications, tlv(0x81, b"dp.x"), tlv(0xA2, ok), info1,
                           tlv(0x84, b"\1"), tlv(0xA5, *cert), tlv(0xA6, *cert),
                           tlv(0x87, b"\x11"), tlv(0xA8, tlv(0x80, b"\x07\x80")),
                           tlv(0xA9, *device)))
    trigger = tlv(0xBF54, tlv(0xA0, tlv(0x80, b"1$dp.example$ABC")), tid)
    to_ipa, to_eim = "EsipaMessageFromEimToIpa", "EsipaMessageFromIpaToEim"
    seeds = {
        "psmos": ("EuiccPackageRequest", request(psmos)),
        "ecos": ("EuiccPackageRequest", request(ecos)),
        "results": ("EuiccPackageResult", result(
            *(tlv(t, b"\0") for t in (0x83, 0x84, 0x85, 0x87, 0x89, 0x8A, 0x8C, 0x8D, 0x8E)),
            tlv(0xBF2D, tlv(0xA0, tlv(0xE3, ICCID, tlv(0x9F7B, b"\0"), tlv(0x9F26, b"\xff")))),
            tlv(0xA6), tlv(0xA8, tlv(0x84, b"\2")), tlv(0xA8, tlv(2, b"\7")),
            tlv(0xAB, tlv(0xA0, tlv(0x30, eim, tlv(0x82, b"\2")))),
            tlv(2, b"\2"), tlv(0xBF65, tlv(0x80, b"\0")))),
        "error-signed": ("EuiccPackageResult", tlv(
            0xBF51, tlv(0xA1, tlv(0x30, eim, counter, tid, tlv(2, b"\4")), sig))),
        "error-unsigned": ("EuiccPackageResult", tlv(
            0xBF51, tlv(0xA2, eim, tid, tlv(0x84, b"\1"), tlv(0x8F, b"\x0f")))),
        "add-initial": ("AddInitialEimRequest", tlv(0xBF57, tlv(0xA0, tlv(0x30, *config)))),
        "added": ("AddInitialEimResponse", tlv(0xBF57, tlv(0xA0, tlv(0x84, b"\1"), tlv(5)))),
        "certs": ("GetCertsResponse", tlv(0xBF56, tlv(0xA0, tlv(0xA5, *cert), tlv(0xA6, *cert)))),
        "rollback": ("ProfileRollbackResponse", tlv(0xBF58, tlv(2, b"\0"), ok)),
        "list": ("IoTRetrieveNotificationsListResponse", tlv(0xBF2B, notifications)),
        "memory-reset": ("IoTEuiccMemoryResetRequest", bytes.fromhex("BF6404820201FE")),
        "get": (to_eim, tlv(0xBF4F, EID, tlv(0x80), counter, tlv(0x82, b"\x62\xf2\x10"))),
        "get-package": (to_ipa, tlv(0xBF4F, request(psmos))),
        "get-data": (to_ipa, tlv(0xBF4F, data_request)),
        "get-trigger": (to_ipa, tlv(0xBF4F, trigger)),
        "get-none": (to_ipa, tlv(0xBF4F, tlv(2, b"\1"))),
        "provide-result": (to_eim, tlv(0xBF50, EID, ok)),
        "provide-both": (to_eim, tlv(0xBF50, EID, tlv(0x30, ok, notifications))),
        "provide-data": (to_eim, tlv(0xBF50, data)),
        "provide-trigger": (to_eim, tlv(0xBF50, tlv(0xBF54, tid, tlv(
            0x30, tlv(0x80, b"\x7f"), tlv(4, b"\1"))))),
        "provide-error": (to_eim, tlv(0xBF50, EID, tlv(0xA0, tlv(2, b"\1")))),
        "acks": (to_ipa, tlv(0xBF50, tlv(0xBF53, tlv(0x80, b"\5"), tlv(0x80, b"\6")))),
        "no-acks": (to_ipa, tlv(0xBF50, tlv(0x30))),
        "notify": (to_eim, tlv(0xBF3D, tlv(0xA0, other))),
        "notify-result": (to_eim, tlv(0xBF3D, tlv(0xBF50, ok))),
        "transfer": (to_ipa, tlv(0xBF4E, request(ecos))),
        "transferred": (to_eim, tlv(0xBF4E, tlv(0xBF61, EID, tlv(2, b"\1")))),
        "initiate": (to_eim, tlv(0xBF39, tlv(0x81, bytes(16)), tlv(0x83, b"dp.x"), info1, tid)),
        "initiated": (to_ipa, tlv(0xBF39, tlv(0xA0, signed1, sig, tlv(4, bytes(20)),
                                              tlv(0x30, *cert), tlv(0x0C, b"A"), tlv(0xA2, ctx)))),
        "authenticate": (to_eim, tlv(0xBF3B, tlv(0x80, b"\x11"), tlv(0xBF38, tlv(
            0xA2, tlv(0xA0, tlv(0x84, b"\1"), tlv(0xA2, ctx)), sig, tlv(0xA1, *cert))))),
        "authenticated": (to_ipa, tlv(0xBF3B, tlv(0xA0, metadata(), tlv(
            0x30, tlv(0x80, b"\x11"), tlv(1, b"\xff")), sig, tlv(0x30, *cert)))),
        "prepared": (to_eim, tlv(0xBF3A, tlv(0x80, b"\x11"), tlv(0xBF21, tlv(
            0xA2, tlv(0x30, tlv(0x5F49, bytes(65)), tlv(4, bytes(32))), sig)))),
        "cancel": (to_eim, tlv(0xBF41, tlv(0x80, b"\x11"), tlv(0xA1, tlv(
            0xA2, tlv(0x30, tlv(0x80, b"\0")), sig)))),
    }
    for name, (type_name, octets) in seeds.items():
        write("fuzz_der", f"sgp32-{name}", type_name.encode() + b"\0" + octets)
        write("fuzz_ipa", name, b"\0" + octets)
        if type_name == to_eim:
            write("fuzz_eim", name, b"\x06" + step("M", octets))
            write("fuzz_eim", f"{name}-v1.0", b"\x01" + step("M", octets))
    seeds_esipa(seeds)


ORDERS = ["enable 89000100000000000001 rollback + list", "disable 89000100000000000001",
          "delete 89000100000000000002 + rat", "delete-eim eim2", "list-eims",
          "download 1$127.0.0.1$ABC", "data", "data 81 82", "fallback 89000100000000000001",
          "no-fallback", "default-dp dp.example.com", "immediate-enable"]
JSON_REQUESTS = [  # the number of a function, and what is told
    (0, '{"eidValue":"89049032123451234512345678901235","notifyStateChange":true}'),
    (1, '{"eidValue":"89049032123451234512345678901235","euiccPackageResult":"v1EA"}'),
    (2, '{"pendingNotification":"vzcA"}'), (3, '{"euiccChallenge":"AAAA","smdpAddress":"dp.x"}'),
    (4, '{"transactionId":"11","authenticateServerResponse":"vzgA"}'),
    (5, '{"transactionId":"11","cancelSessionResponse":"v0EA"}'),
    (6, '{"transactionId":"11","prepareDownloadResponse":"vyEA"}'),
]
JSON_HEADER = '"header":{"functionExecutionStatus":{"status":"Executed-Success"}}'
JSON_ANSWERS = [
    (0, '"euiccPackageRequest":"v1EA"'), (0, '"eimPackageError":1'),
    (0, '"ipaEuiccDataRequest":"v1IA"'),
    (1, '"eimAcknowledgements":"v1MA"'), (3, '"transactionId":"11","serverSigned1":"MAA="'),
    (4, '"transactionId":"11","smdpSigned2":"MAA=","profileMetadata":"vyUA"'),
    (6, '"transactionId":"11","boundProfilePackage":"vzYA"'), (5, ""),
]


def seeds_esipa(messages):
    """What is not one message: orders, the card's results, JSON."""
    poll = step("M", messages["get"][1])
    eim, seq = tlv(0x80, b"eim1"), tlv(0x83, b"\5")
    for i, order in enumerate(ORDERS):
        write("fuzz_eim", f"order-{i:02}", b"\x06" + step("Q", order.encode()) + poll + poll)
    elements = {"enable": tlv(0x83, b"\0"), "add": tlv(0xA8, tlv(0x84, b"\7")),
                "list": tlv(0xAB, tlv(0xA0, tlv(0x30, eim))), "late": tlv(2, b"\2"),
                "infos": tlv(0xBF2D, tlv(0xA0, tlv(0xE3, ICCID, tlv(0x9F70, b"\1"))))}
    for name, element in elements.items():
        fields = eim + tlv(0x81, b"\1") + seq + tlv(0x30, element)
        write("fuzz_eim", f"result-{name}",
              b"\x06" + step("Q", b"list") + poll + step("S", fields) + poll)
    for i, (function, text) in enumerate(JSON_REQUESTS):
        write("fuzz_eim", f"json-{i}",
              b"\x06J" + bytes([function]) + step("J", text.encode())[1:])
    for i, (function, text) in enumerate(JSON_ANSWERS):
        text = "{" + JSON_HEADER + ("," + text if text else "") + "}"
        write("fuzz_ipa", f"json-{i}", bytes([0x80 | function]) + text.encode())


def nested(depth):
    octets = b""
    for _ in range(depth):
        octets = tlv(0x30, octets)
    return octets


def crl(base=None, serials=(), partial=False):
    """A CRL under nobody's signature: it parses, and does not verify."""
    oid = bytes.fromhex
    algorithm = tlv(0x30, tlv(6, oid("2A8648CE3D040302")))
    name = tlv(0x30, tlv(0x31, tlv(0x30, tlv(6, oid("550403")), tlv(0x0C, b"Test CI"))))
    when = tlv(0x17, b"260101000000Z")
    entries = [tlv(0x30, tlv(2, s), when) for s in serials]
    extensions = [tlv(0x30, tlv(6, oid("551D23")), tlv(4, tlv(0x30, tlv(0x80, bytes(20))))),
                  tlv(0x30, tlv(6, oid("551D14")), tlv(4, tlv(2, b"\x05")))]
    if base is not None:
        extensions.append(tlv(0x30, tlv(6, oid("551D1B")), tlv(1, b"\xff"), tlv(4, tlv(2, base))))
    if partial:
        extensions.append(tlv(0x30, tlv(6, oid("551D1C")), tlv(1, b"\xff"),
                              tlv(4, tlv(0x30, tlv(0xA0, tlv(0xA0, tlv(0x86, b"http://a/b")))))))
    tbs = tlv(0x30, tlv(2, b"\x01"), algorithm, name, when, tlv(0x17, b"360101000000Z"),
              *([tlv(0x30, *entries)] if entries else []), tlv(0xA0, tlv(0x30, *extensions)))
    signature = tlv(0x30, tlv(2, b"\x11" * 32), tlv(2, b"\x22" * 32))
    return tlv(0x30, tbs, algorithm, tlv(3, b"\x00" + signature))


def seeds_cert():
    for path in sorted((TREE / "certs").rglob("*.der")):
        if "CERT" in path.name:
            write("fuzz_cert", path.stem, b"\x00" + path.read_bytes())
    write("fuzz_cert", "crl-empty", b"\x01" + crl())
    write("fuzz_cert", "crl-delta", b"\x01" + crl(base=b"\x02", serials=[b"\x01", b"\x12\x34"]))
    write("fuzz_cert", "crl-partial", b"\x01" + crl(serials=[b"\x01"] * 3, partial=True))


def metadata(iccid="980010000000000010F9", **more):
    parts = [tlv(0x5A, bytes.fromhex(iccid)), tlv(0x91, b"provider"), tlv(0x92, b"name")]
    if "icon" in more:
        parts += [tlv(0x93, b"\x01"), tlv(0x94, bytes(more["icon"]))]
    if "profile_class" in more:
        parts += [tlv(0x95, bytes([more["profile_class"]]))]
    if "address" in more:
        parts += [tlv(0xB6, *(tlv(0x30, tlv(0x80, bits), tlv(0x81, more["address"]))
                              for bits in (b"\x07\x80", b"\x04\x70")))]
    if "owner" in more:
        parts += [tlv(0xB7, tlv(0x80, b"\x00\xf1\x10"), tlv(0x81, b"\x01"))]
    if "ppr" in more:
        parts += [tlv(0x99, more["ppr"])]
    return tlv(0xBF25, *parts)


def seeds_bpp(profile):
    configure = step("1", tlv(0xBF24, tlv(0xB8, tlv(0x80, bytes.fromhex("88370A")))))
    plain = step("2", metadata(profile_class=2))
    rich = step("2", metadata(profile_class=2, icon=300, address=b"dp.example.com", owner=1,
                              ppr=b"\x05\x60"))
    keys = step("3", tlv(0xBF26, *(tlv(0x80 + i, bytes([i + 1] * 16)) for i in range(3))))
    elements = step("4", profile)
    good = configure + plain + elements
    seeds = {
        "good": good, "no-oid": step("1", bytes.fromhex("BF2400")) + plain + elements,
        "rich": configure + rich + elements, "keys": configure + plain + keys + elements,
        "small-segments": b"K\x00\x10" + good, "small-blocks": b"B\x1f" + good,
        "pieces": b"P\x00\x47" + good, "one-piece": b"P\xff\xff" + good,
        "order": plain + configure + elements, "twice": configure + configure + plain,
        "no-elements": configure + plain, "keys-first": keys + good,
        "cut-off": configure + plain + step("4", profile[:-5]),
        "behind-end": configure + plain + step("4", profile + b"\xa0\x00"),
        "other-iccid": configure + step("2", metadata("981111111111111111F1")) + elements,
        "bad-metadata": configure + step("2", tlv(0xBF25, tlv(0x5A, bytes(3)))) + elements,
        "test-class": configure + step("2", metadata(profile_class=0)) + elements,
        "pprs": configure + step("2", metadata(profile_class=2, ppr=b"\x05\x60")) + elements,
        "short-keys": configure + plain + step("3", tlv(0xBF26, tlv(0x80, bytes(16)))) + elements,
        "not-configure": step("1", b"\xbf\x25\x00") + plain + elements,
        "empty": configure + plain + step("4", b""),
    }
    for bits in (1, 2, 4, 8):
        seeds[f"isc-{bits}"] = b"I" + bytes([bits]) + good
    for at in (0, 4, 12, 200, 240, 300, 400, 800):
        seeds[f"changed-{at}"] = good + b"X" + u16(at) + b"\x40"
    for n in (0, 127, 129, 255):
        seeds[f"length-{n}"] = good + b"T" + bytes([n])
    for at in (0, 1, 3, 5):
        for what in range(7):
            seeds[f"event-{at}-{what}"] = good + b"Q" + bytes([at, what])
    for writes in range(4):
        seeds[f"cut-at-the-end-{writes}"] = good + b"Q\x05" + bytes([1 + 8 * writes])
    for path in sorted((TREE / "tests" / "apdu").glob("uicc-*.txt")):
        apdus = [a for a in transcript(path) if a][:STEPS_OF_A_SEED]
        seeds[f"enabled-{path.stem}"] = good + step("E", b"".join(bytes([len(a)]) + a
                                                                  for a in apdus))
    for name, apdus in UICC.items():
        apdus = [ADM1, USIM] + [bytes.fromhex(a) for a in apdus]
        seeds[f"enabled-{name}"] = good + step("E", b"".join(bytes([len(a)]) + a for a in apdus))
    for name, octets in seeds.items():
        write("fuzz_bpp", name, octets)


def seeds_upp(profile):
    elements = [whole for _, whole, _ in split(profile)]
    header, rest = elements[0], elements[1:]
    write("fuzz_upp", "good", b"\x00\x05" + profile)
    write("fuzz_upp", "small-pieces", b"\x00\x00" + profile)
    write("fuzz_upp", "other-iccid", b"\x01\x07" + profile)
    write("fuzz_upp", "no-space", b"\x02\x07" + profile)
    write("fuzz_upp", "no-header", b"\x00\x07" + b"".join(rest))
    write("fuzz_upp", "two-headers", b"\x00\x07" + header + profile)
    write("fuzz_upp", "no-end", b"\x00\x07" + b"".join(elements[:-1]))
    write("fuzz_upp", "behind-end", b"\x00\x07" + profile + b"\xa0\x00")
    write("fuzz_upp", "backwards", b"\x00\x07" + header + b"".join(reversed(rest)))
    write("fuzz_upp", "header-end", b"\x00\x07" + header + elements[-1])
    pe = tlv(0xA0, tlv(0x80), tlv(0x81, b"\x70"))
    optional = tlv(0xA0, tlv(0x81, b"\x71"))
    mf = rest[0]
    for name, element in {
            "unknown-element": tlv(0xBF3F, optional), "unknown-mandated": tlv(0xBF3F, pe),
            "application": tlv(0xA8, optional), "unknown-field": tlv(0xB2, optional, tlv(0x9F50)),
            "pins": tlv(0xA2, pe, tlv(0xA1, tlv(0xA0, tlv(0x30, tlv(0x80, b"\x01"),
                                                         tlv(0x81, b"0000\xff\xff\xff\xff"))))),
            "nonstandard": tlv(0xA9, pe, tlv(0x81, b"\x2b\x06"), tlv(0x82, b"\x00")),
            "broken": b"\xff\xff\xff\xff\xff\xff\xff\xff\xff"}.items():
        write("fuzz_upp", name, b"\x00\x07" + header + mf + element + elements[-1])
    for i, element in enumerate(rest[:-1]):
        write("fuzz_upp", f"only-{i:02}", b"\x00\x07" + header + mf + element + elements[-1])


def seeds_vpcd():
    on, off, reset, atr = b"\x00\x01\x01", b"\x00\x01\x00", b"\x00\x01\x02", b"\x00\x01\x04"
    select = bytes.fromhex(SELECT_ISDR)
    apdu = u16(len(select)) + select
    for name, octets in {"session": on + atr + apdu + reset + apdu + off, "empty-frames": bytes(7),
                         "unknown": b"\x00\x01\x03" + atr, "half": apdu[:-1], "one": b"\x00",
                         "long": u16(5000) + bytes(5000) + atr, "two-octets": b"\x00\x02\x00\xa4",
                         }.items():
        for pieces in (0, 7):
            write("fuzz_vpcd", f"{name}-{pieces}", bytes([pieces]) + octets)


def seeds_settings():
    values = [  # in the order of enum setting
        ["3B9F96801FC78031E073FE211B63E20AA982900001", "3B00", "3"],
        ["4096", "65536", "4095"], ["1", "1000", "0"], ["1", "10000"],
        ["2.2.0", "3.1.0", "2.2", "2.256.0"], ["2.3.1", "3.3.1"], ["1.2.3"], ["0.0.1"],
        ["SAS-1", ""], ["label"], ["https://example.com/"],
        ["nist", "brp", "both", "none"], ["dp.example.com"], ["ds.example.com"],
        ["ppr1+ppr2:EEEEEE/*/*:consent", "ppr1:00F110/01/", "", "ppr2:262F01;ppr1:EEEEEE"],
        ["ppr1", "ppr1+ppr2", ""], ["on", "off"], ["off"], ["off"], ["on", "yes"],
        ["record", "refuse"], ["off", "on"], ["1.0.1", "1.3.0", "1.2"], ["refuse"], ["1", "1000"],
        ["1", "256"], ["4000", "65000"], ["1000"], ["8388607"], ["off"], ["off"], ["off"], ["off"],
        ["required"], ["inactive", "on"], ["https", "coaps"], ["10", "9"], ["0"], ["10"],
        ["192.0.2.53", "2001:db8::53", "192.0.2", ""], ["4096"],
    ]
    for which, texts in enumerate(values):
        for i, text in enumerate(texts):
            write("fuzz_settings", f"{which:02}-{i}", bytes([which]) + text.encode())


def seeds_script():
    """Every case of the catalogue, with an answer to a report behind a few."""
    answer = bytes.fromhex("BF2D1CA01AE3185A0A980010000000000010F94F0AA00000055910109F7001019000")
    for path in sorted((TREE / "tests" / "conformance").glob("**/*.*")):
        if path.suffix not in (".sct", ".inc"):
            continue
        parts = re.split(r"(?m)^(?=case )", path.read_text("utf-8"))
        for i, part in enumerate(parts[:CASES_OF_A_SCRIPT]):
            text = re.sub(r"(?m)^include .*\n", "", part).encode()
            write("fuzz_script", f"{path.stem}-{i}", b"\xff" + text)
    text = b"REM Annex B\nRST\nCMD A0 A4 00 00 02 3F 00 (9F XX)\nOFF\nexit\n"
    write("fuzz_script", "octets", b"\x80" + text.ljust(len(answer)) + answer)


def seeds_http():
    ok, chunked = b"HTTP/1.1 200 OK\r\n", b"Transfer-Encoding: chunked\r\n\r\n"
    responses = {
        "length": ok + b"Content-Type: application/x-gsma-rsp-asn1\r\nContent-Length: 3\r\n\r\nabc",
        "chunked": ok + chunked + b"3;a=b\r\nabc\r\n0A\r\n0123456789\r\n0\r\nT: x\r\n\r\n",
        "to-the-end": ok + b"Connection: close\r\n\r\nabc",
        "interim": b"HTTP/1.1 100 C\r\nA: b\r\n\r\n" + ok + b"Content-Length: 1\r\n\r\nxnext",
        "no-content": b"HTTP/1.1 204 No Content\r\n\r\n",
        "unavailable": b"HTTP/1.1 503\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n",
        "old": b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx",
        "two-lengths": ok + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n",
        "both": ok + b"Content-Length: 3\r\n" + chunked,
        "gzip": ok + b"Transfer-Encoding: gzip\r\n\r\n",
        "folded": ok + b"A: b\r\n c\r\n\r\n",
        "nul": ok + b"A: \0\r\n\r\n",
        "long-line": ok + b"Set-Cookie: " + b"x" * 600 + b"\r\n\r\n",
        "overflow": ok + chunked + b"FFFFFFFFFFFFFFFFF\r\n",
    }
    for name, octets in responses.items():
        write("fuzz_http", name, b"\x40\x07\x01" + octets)
    write("fuzz_http", "no-room", b"\x02\x01\x00" + responses["length"])


def coap_step(kind, body):
    return kind + bytes([len(body)]) + body


def seeds_coap():
    def piggybacked(code, digits, zeros=None):
        octets = bytes.fromhex(digits)
        head = b"R\x02" + bytes([code])
        if zeros is None:
            return head + bytes([len(octets)]) + octets
        return head + b"\xff" + u16(len(octets) + zeros) + octets

    def separate(code, number, digits):
        octets = bytes.fromhex(digits)
        return b"S\x00" + bytes([code]) + u16(number) + bytes([len(octets)]) + octets

    content, changed, go_on = 0x45, 0x44, 0x5F
    block1 = [bytes([(n << 4) | 8]).hex() for n in range(3)]
    acked = coap_step(b"D", bytes.fromhex("60000506"))
    exchanges = {
        "content": b"\x06" + piggybacked(content, "FF0102"),
        "changed": b"\x06" + piggybacked(changed, ""),
        "error": b"\x06" + piggybacked(0x84, "FF6E6F"),
        "later": b"\x06" + piggybacked(0xA3, "D2010E10"),
        "options": b"\x06" + piggybacked(content, "4401020304412A2178FF00"),
        "critical": b"\x06" + piggybacked(content, "9100"),
        "upload": b"\x00" + piggybacked(go_on, "D10E" + block1[0])
                  + piggybacked(go_on, "D10E" + block1[1]) + piggybacked(changed, "D10E20"),
        "smaller": b"\x0e" + piggybacked(go_on, "D10E0A") + piggybacked(go_on, "D20E010A"),
        "incomplete": b"\x00" + piggybacked(go_on, "D10E08") + piggybacked(0x88, "")
                      + piggybacked(go_on, "D10E08"),
        "too-large": b"\x0e" + piggybacked(0x8D, "D10E0A") + piggybacked(go_on, "D10E0A"),
        "download": b"\x06" + piggybacked(content, "4176D1060EFF", 1024)
                    + piggybacked(content, "4176D10616FF0102"),
        "download-small": b"\x00" + piggybacked(go_on, "D10E08") + piggybacked(go_on, "D10E18")
                          + piggybacked(content, "D10A08FF" + "00" * 16)
                          + piggybacked(content, "D10A10FF00"),
        "separate": b"\x06" + acked + separate(content, 9, "FF01") + separate(content, 9, "FF01"),
        "ping": b"\x06" + coap_step(b"D", bytes.fromhex("40007777")) + b"T"
                + coap_step(b"D", bytes.fromhex("40017777")),
        "reset": b"\x06" + coap_step(b"D", bytes.fromhex("70000506")),
        "echo": b"\x06" + piggybacked(0x81, "D3EF010203") + piggybacked(content, "") + b"N",
        "silence": b"\x06TTTTT",
        "broken": b"\x06" + separate(content, 9, "F0") + separate(content, 9, "E0FFFF"),
    }
    for name, octets in exchanges.items():
        write("fuzz_coap", name, octets)


def seeds_dns():
    def record(owner, kind, data, ttl="0000003C", rdlen=None):
        octets = bytes.fromhex(data)
        return (bytes.fromhex(owner) + u16(kind) + b"\0\1" + bytes.fromhex(ttl)
                + u16(len(octets) if rdlen is None else rdlen) + octets)

    def answer(*records, flags=0x8180, how=b"\x02"):
        return how + u16(flags) + u16(len(records)) + b"".join(records)

    address, alias = record("C00C", 1, "C0000201"), record("C00C", 5, "0161C010")
    for name, octets in {
            "address": answer(address), "addresses": answer(*[address] * 6),
            "version-6": answer(record("C00C", 28, "20010DB8" + "00" * 12), how=b"\x03"),
            "alias": answer(record("0161C010", 1, "C0000207"), alias),
            "alias-of-itself": answer(record("C00C", 5, "C00C")),
            "alias-outside": answer(alias), "nothing": answer(),
            "no-name": answer(flags=0x8183), "truncated": answer(address, flags=0x8380),
            "pointer-loop": answer(record("C022", 1, "C0000201")),
            "pointer-forwards": answer(record("C024", 1, "C0000201")),
            "long-record": answer(record("C00C", 1, "C0000201", rdlen=0xFFFF)),
            "long-name": answer(record("3F" + "61" * 63 + "C00C", 1, "C0000201")),
            "whole": bytes.fromhex("00 1234 8180 0001 0001 0000 0000 0365696D 076578616D706C65"
                                   "0474657374 00 0001 0001") + address,
            "name": b"\x04eim.example.com.", "no-host-name": b"\x04a..b"}.items():
        write("fuzz_dns", name, octets)


def seeds_ipae():
    """Stories of the IPAe: what an eIM says at each of its messages, and a terminal to each command."""
    real, old, direct, coaps = 1, 2, 4, 8

    def says(octets, outcome=0, status=200, retry=0):
        return b"X" + bytes([outcome, status & 0xFF]) + u16(retry) + u16(len(octets)) + octets

    def package(*parts):
        return says(tlv(0xBF4F, *parts))

    def response(general, objects=b""):
        return b"T" + bytes([general, len(objects)]) + objects

    serve, service, timer = b"G\x1f", b"L\x00", b"Z\x00"
    code = tlv(0x80, b"1$testsmdpplus1.example.com$MATCH")
    trigger, tid = tlv(0xBF54, tlv(0xA0, code), tlv(0x82, b"t")), tlv(0x82, b"t")
    enable, granted = tlv(0xA3, iccid_of(2)), tlv(0xA3, iccid_of(2), tlv(5))
    cert = tlv(0x30, tlv(0x30, tlv(2, b"\2")), tlv(0x30, tlv(6, b"\x2a\3")), tlv(3, b"\0\4"))
    signed1 = tlv(0x30, tlv(0x80, b"\x11"), tlv(0x81, bytes(16)),
                  tlv(0x83, b"testsmdpplus1.example.com"), tlv(0x84, bytes(16)))
    initiated = says(tlv(0xBF39, tlv(0xA0, tlv(0x80, b"\x11"), signed1, tlv(0x5F37, bytes(64)),
                                     tlv(4, bytes(20)), cert)))
    everything = bytes.fromhex("81BF20BF228384A5A6A8A9A0A2")
    answers = {
        "nothing": b"", "list": b"P" + step("", tlv(0xBF2D)), "delete":
        b"P" + step("", tlv(0xA5, iccid_of(2))), "enable": b"P" + step("", enable),
        "granted": b"P" + step("", granted), "switch": b"P" + step("", tlv(0xA4, iccid_of(1)) + enable),
        "data": package(tlv(0xBF52, tlv(0x5C, everything), tid)),
        "data-ci": package(tlv(0xBF52, tlv(0x5C, b"\xa5"), tlv(4, b"\xf5"))),
        "data-some": package(tlv(0xBF52, tlv(0x5C, b"\xa0\xa2"), tlv(0xA1, tlv(0x80, b"\1")),
                                 tlv(0xA2, tlv(0x80, b"\1")))),
        "data-v1.0": package(tlv(0xBF52, tlv(0x5C, bytes.fromhex("BF2B8088")))),
        "acks": package(tlv(0xBF53, tlv(0x80, b"\1"), tlv(0x80, b"\2"))),
        "trigger": package(trigger) + initiated, "trigger-default":
        package(tlv(0xBF54, tlv(0xA0, tlv(0x81)))), "trigger-smds":
        package(tlv(0xBF54, tlv(0xA0, tlv(0xA2, tlv(0x80, b"ds.x"))))),
        "trigger-none": package(tlv(0xBF54)), "unknown": package(tlv(0xBF99)),
        "no-eid": package(tlv(2, b"\2")), "two": package(tlv(2, b"\1"), tlv(2, b"\1")),
        "empty": says(b""), "json": package(trigger) + says(
            b'{"header":{"functionExecutionStatus":{"status":"Executed-Success"}},'
            b'"transactionId":"11","serverSigned1":"MAA=","serverSignature1":"XzcA",'
            b'"euiccCiPKIdToBeUsed":"BAA=","serverCertificate":"MAA="}'),
        "result-refused": b"P" + step("", tlv(0xBF2D)) + says(tlv(0xBF50, tlv(2, b"\1"))),
        "result-lost": b"P" + step("", tlv(0xBF2D)) + says(b"", 1, 0),
        "busy": says(b"", 1, 203, 3600), "gone": says(b"", 2, 0), "another": says(b"", 3, 0),
        "refused": says(b"", 4, 144),
        "rollback": b"P" + step("", granted) + b"".join(says(b"", 1, 0) for _ in range(3)),
    }
    for name, octets in answers.items():
        for kind in (0, old, direct, coaps):
            write("fuzz_ipae", f"{name}-{kind}", bytes([kind]) + octets + serve + service + serve
                  + timer + serve + timer + serve)
    for at in range(8):
        for general in (0x20, 0x32):
            write("fuzz_ipae", f"terminal-{at}-{general:02x}", b"\0" + answers["enable"]
                  + b"".join(b"G\0" for _ in range(at)) + response(general) + serve + service)
    for at in range(0, 12, 2):
        write("fuzz_ipae", f"reset-{at}", b"\0" + answers["granted"] + b"".join(
            b"G\0" for _ in range(at)) + b"R" + serve + service + serve)
        write("fuzz_ipae", f"cut-{at}", b"\0W" + bytes([at]) + answers["granted"] + serve
              + service + serve + b"R" + serve)
    channel = b"".join((response(0), response(0), bytes.fromhex("54000A9408") + bytes(8),
                        response(0), response(0),
                        response(0, bytes.fromhex("38028100390205DC"))))
    for kind in (real, real | direct, real | coaps, real | direct | coaps):
        write("fuzz_ipae", f"channel-{kind}", bytes([kind]) + serve + service + serve + timer)
        write("fuzz_ipae", f"channel-open-{kind}", bytes([kind]) + channel
              + response(0, bytes.fromhex("3701FF")) * 6 + b"E\x10"
              + bytes.fromhex("D60E990109820282 81B8028100B70115") + response(
                  0, bytes.fromhex("36071503030002022837 0100")) + serve + timer + serve)
    write("fuzz_ipae", "no-service", b"\0L\2" + serve + b"L\2" + timer + serve + timer + serve)
    menu = bytes.fromhex("80C2000009D30782020181900103")
    write("fuzz_ipae", "events", b"\0E\x08" + bytes.fromhex("D606990103820100") + serve + b"E\x05"
          + bytes.fromhex("D603990103") + b"SA" + bytes([len(menu)]) + menu + serve)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build = pathlib.Path(sys.argv[1]).resolve()
    profile_path = build / "profiles" / "operational.der"
    profile = profile_path.read_bytes()
    for old in CORPUS.glob("*/*"):
        if not old.name.startswith("found-"):
            old.unlink()
    answers = es10_answers(str(build / "cli" / "softeuicc"), profile_path)
    seeds_apdu()
    seeds_tlv(answers)
    seeds_der(profile, answers)
    seeds_sgp32()
    seeds_cert()
    seeds_bpp(profile)
    seeds_package()
    seeds_upp(profile)
    seeds_vpcd()
    seeds_settings()
    seeds_script()
    seeds_http()
    seeds_coap()
    seeds_dns()
    seeds_ipae()


main()
