"""What a profile package describes, read from its octets: the files of the profile with everything
that is known about them, its PINs, and what it demands.

This is a second reading, for tests to compare a card with.  It knows DER, the order of the elements
of each file system's module, and the templates as TEMPLATES has them; nothing is shared with the
card's own tables."""

# The templates (version 1 of each) by the last octet of their identifiers: their files in the order
# of the module, so that the first is tag A2.  A row is the name, the FID (-: the package says it),
# the kind with its size (records x length, ?: the package says it), the record of EF.ARR (A), the
# SFI (S), the contents and h for high update activity.  Contents are octets and FF behind them,
# 00.. for an octet that repeats itself to the end or as far as the rest leaves room, * behind
# octets that repeat as a whole, and ? for what is not known here.  Of CSIM's templates only sizes
# and SFIs are known, and of files without more than a name nothing.
TEMPLATES = {
    1: """
        mf 3F00 MF A14 | ef-pl 2F05 TR2 A1 S05 =FF.. | ef-iccid 2FE2 TR10 A11
        ef-dir 2F00 LF?x? A10 S1E | ef-arr 2F06 LF?x? A10 | ef-umpc 2F08 TR5 A10 S08""",
    3: """
        df-telecom 7F10 DF A14 | ef-arr 6F06 LF?x? A10 | ef-rma 6F53 LF?x? A3
        ef-sume 6F54 TR22 A3 | ef-ice-dn 6FE0 LF50x24 A9 =FF.. | ef-ice-ff 6FE1 LF?x? A9 =FF..
        ef-psismsc 6FE5 LF?x? A5 | df-graphics 5F50 DF A14 | ef-img 4F20 LF?x? A2 =00FF..
        ef-iidf 4F40 TR? A2 =FF.. | ef-ice-graphics 4F21 BT? A9 | ef-launch-scws 4F01 TR? A10
        ef-icon 4F80 TR? A10 | df-phonebook 5F3A DF A14 | ef-pbr 4F30 LF?x? A2
        ef-ext1 4F38 LF?x13 A5 =00FF.. | ef-aas 4F40 LF?x? A5 =FF.. | ef-gas 4F48 LF?x? A5 =FF..
        ef-psc 4F22 TR4 A5 =00000000 | ef-cc 4F23 TR2 A5 =0000 h | ef-puid 4F24 TR2 A5 =0000 h
        ef-iap 4F50 LF?x? A5 =FF.. | ef-adn 4F58 LF?x? A5 =FF.. | ef-pbc 4F60 LF?x2 A5 =00..
        ef-anr 4F68 LF?x? A5 =FF.. | ef-puri 4F70 LF?x? A5 | ef-email 4F78 LF?x? A5 =FF..
        ef-sne 4F80 LF?x? A5 =FF.. | ef-uid 4F88 LF?x2 A5 =0000 | ef-grp 4F90 LF?x? A5 =00..
        ef-ccp1 4F98 LF?x? A5 =FF.. | df-multimedia 5F3B DF A14 | ef-mml 4F47 BT? A5
        ef-mmdf 4F48 BT? A5 | df-mmss 5F3C DF A14 | ef-mlpl 4F20 TR? A2 S01
        ef-mspl 4F21 TR? A2 S02 | ef-mmssmode 4F22 TR1 A2 S03 | df-mcs | ef-mst | ef-mcs-config
        df-v2x | ef-vst | ef-v2x-config | ef-v2xp-pc5 | ef-v2xp-Uu""",
    4: """
        adf-usim - ADF A14 | ef-imsi 6F07 TR9 A2 S07 | ef-arr 6F06 LF?x? A10 S17
        ef-keys 6F08 TR33 A5 S08 =07FF.. h | ef-keysPS 6F09 TR33 A5 S09 =07FF.. h
        ef-hpplmn 6F31 TR1 A2 S12 =0A | ef-ust 6F38 TR14 A2 S04 | ef-fdn 6F3B LF20x26 A8 =FF..
        ef-sms 6F3C LF10x176 A5 =00FF.. | ef-smsp 6F42 LF1x38 A5 =FF..
        ef-smss 6F43 TR2 A5 =FFFF | ef-spn 6F46 TR17 A10 | ef-est 6F56 TR1 A8 S05
        ef-start-hfn 6F5B TR6 A5 S0F =F00000F00000 h | ef-threshold 6F5C TR3 A2 S10 =FFFFFF
        ef-psloci 6F73 TR14 A5 S0C =FFFFFFFFFFFFFFFFFFFF0000FF01 h | ef-acc 6F78 TR2 A2 S06
        ef-fplmn 6F7B TR12 A5 S0D =FF.. | ef-loci 6F7E TR11 A5 S0B =FFFFFFFFFFFFFF0000FF01 h
        ef-ad 6FAD TR4 A10 S03 =00000002 | ef-ecc 6FB7 LF1x4 A10 S01
        ef-netpar 6FC4 TR128 A5 =FF.. h
        ef-epsloci 6FE3 TR18 A5 S1E =FFFFFFFFFFFFFFFFFFFFFFFFFFFFFF000001 h
        ef-epsnsc 6FE4 LF1x80 A5 S18 =FF.. h""",
    5: """
        ef-li 6F05 TR6 A1 S02 =FF.. | ef-acmax 6F37 TR3 A5 =000000
        ef-acm 6F39 CY1x3 A7 =000000 h | ef-gid1 6F3E TR8 A2 | ef-gid2 6F3F TR8 A2
        ef-msisdn 6F40 LF1x24 A2 =FF.. | ef-puct 6F41 TR5 A5 =FFFFFF0000
        ef-cbmi 6F45 TR10 A5 =FF.. | ef-cbmid 6F48 TR10 A2 S0E =FF..
        ef-sdn 6F49 LF10x24 A2 =FF.. | ef-ext2 6F4B LF10x13 A8 =00FF..
        ef-ext3 6F4C LF10x13 A2 =00FF.. | ef-cbmir 6F50 TR20 A5 =FF..
        ef-plmnwact 6F60 TR40 A5 S0A =FFFFFF0000* | ef-oplmnwact 6F61 TR40 A2 S11 =FFFFFF0000*
        ef-hplmnwact 6F62 TR5 A2 S13 =FFFFFF0000* | ef-dck 6F2C TR16 A5 =FF..
        ef-cnl 6F32 TR30 A2 =FF.. | ef-smsr 6F47 LF10x30 A5 =00FF..
        ef-bdn 6F4D LF10x25 A8 =FF.. | ef-ext5 6F4E LF10x13 A5 =00FF..
        ef-ccp2 6F4F LF5x15 A5 S16 =FF.. | ef-ext4 6F55 LF10x13 A8 =00FF..
        ef-acl 6F57 TR101 A8 =00FF.. | ef-cmi 6F58 LF10x11 A2 =FF..
        ef-ici 6F80 CY20x38 A5 S14 =FF..0000000001FFFF h
        ef-oci 6F81 CY20x37 A5 S15 =FF..00000001FFFF h | ef-ict 6F82 CY1x3 A7 =000000 h
        ef-oct 6F83 CY1x3 A7 =000000 h | ef-vgcs 6FB1 TR20 A2 | ef-vgcss 6FB2 TR7 A5
        ef-vbs 6FB3 TR20 A2 | ef-vbss 6FB4 TR7 A5 | ef-emlpp 6FB5 TR2 A2
        ef-aaem 6FB6 TR1 A5 =00 | ef-hiddenkey 6FC3 TR4 A5 =FF.. | ef-pnn 6FC5 LF10x16 A10 S19
        ef-opl 6FC6 LF5x8 A10 S1A | ef-mbdn 6FC7 LF3x24 A5 | ef-ext6 6FC8 LF10x13 A5 =00FF..
        ef-mbi 6FC9 LF10x5 A5 | ef-mwis 6FCA LF10x6 A5 =00.. h
        ef-cfis 6FCB LF10x16 A5 =0100FF.. | ef-ext7 6FCC LF10x13 A5 =00FF..
        ef-spdi 6FCD TR17 A2 S1B | ef-mmsn 6FCE LF10x6 A5 =000000FF..
        ef-ext8 6FCF LF10x13 A5 =00FF.. | ef-mmsicp 6FD0 TR100 A2 =FF..
        ef-mmsup 6FD1 LF?x? A5 =FF.. | ef-mmsucp 6FD2 TR100 A5 =FF..
        ef-nia 6FD3 LF5x11 A2 =FF.. | ef-vgcsca 6FD4 TR? A2 =00.. | ef-vbsca 6FD5 TR? A2 =00..
        ef-gbabp 6FD6 TR? A5 =FF.. | ef-msk 6FD7 LF?x? A2 =FF.. h | ef-muk 6FD8 LF?x? A2 =FF..
        ef-ehplmn 6FD9 TR15 A2 S1D =FF.. | ef-gbanl 6FDA LF?x? A2 =FF..
        ef-ehplmnpi 6FDB TR1 A2 =00 | ef-lrplmnsi 6FDC TR1 A2 =00 | ef-nafkca 6FDD LF?x? A2 =FF..
        ef-spni 6FDE TR? A10 =00FF.. | ef-pnni 6FDF LF?x? A10 =00FF.. | ef-ncp-ip 6FE2 LF?x? A2
        ef-ufc 6FE6 TR30 A10 =? | ef-nasconfig 6FE8 TR18 A2 | ef-uicciari 6FE7 LF?x? A2
        ef-pws 6FEC TR? A10 | ef-fdnuri 6FED LF?x? A8 =FF.. | ef-bdnuri 6FEE LF?x? A8 =FF..
        ef-sdnuri 6FEF LF?x? A2 =FF.. | ef-ial 6FF0 LF?x? A3 =FF..
        ef-ips 6FF1 CY?x4 A10 =FF.. h | ef-ipd 6FF2 LF?x? A3 =FF.. h | ef-epdgid
        ef-epdgselection | ef-epdgidem | ef-epdgselectionem | ef-frompreferred | ef-imsconfigdata
        ef-3gpppsdataoff | ef-3gpppsdataoffservicelist | ef-xcapconfigdata | ef-earfcnlist
        ef-mudmidconfigdata | ef-eaka""",
    7: """
        df-gsm-access 5F3B DF A14 | ef-kc 4F20 TR9 A5 S01 =FF..07 h
        ef-kcgprs 4F52 TR9 A5 S02 =FF..07 h | ef-cpbcch 4F63 TR10 A5 =FF.. h
        ef-invscan 4F64 TR1 A2 =00""",
    8: """
        adf-isim - ADF A14 | ef-impi 6F02 TR? A2 S02 | ef-impu 6F04 LF1x? A2 S04
        ef-domain 6F03 TR? A2 S05 | ef-ist 6F07 TR14 A2 S07 | ef-ad 6FAD TR3 A10 S03 =000000
        ef-arr 6F06 LF?x? A10 S06""",
    9: """
        ef-pcscf 6F09 LF1x? A2 | ef-sms 6F3C LF10x176 A5 =00FF.. | ef-smsp 6F42 LF1x38 A5 =FF..
        ef-smss 6F43 TR2 A5 =FFFF | ef-smsr 6F47 LF10x30 A5 =00FF.. | ef-gbabp 6FD5 TR? A5 =FF..
        ef-gbanl 6FD7 LF?x? A2 =FF.. | ef-nafkca 6FDD LF?x? A2 =FF.. | ef-uicciari 6FE7 LF?x? A2
        ef-frompreferred | ef-imsconfigdata | ef-xcapconfigdata | ef-webrtcuri
        ef-mudmidconfigdata""",
    13: """
        df-df-5gs 5FC0 DF A14
        ef-5gs3gpploci 4F01 TR20 A5 S01 =FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000001 h
        ef-5gsn3gpploci 4F02 TR20 A5 S02 =FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000001 h
        ef-5gs3gppnsc 4F03 LF1x57 A5 S03 =FF.. h | ef-5gsn3gppnsc 4F04 LF1x57 A5 S04 =FF.. h
        ef-5gauthkeys 4F05 TR110 A5 S05 h | ef-uac-aic 4F06 TR4 A2 S06
        ef-suci-calc-info 4F07 TR? A2 S07 =FF.. | ef-opl5g 4F08 LF?x10 A10 S08 =FF..
        ef-supinai 4F09 TR? A2 S09 | ef-routing-indicator 4F0A TR4 A2 S0A =F0FFFFFF | ef-ursp
        ef-tn3gppsnn | ef-cag | ef-sor-cmci | ef-dri | ef-5gsedrx | ef-5gnswo-conf | ef-mchpplmn
        ef-kausf-derivation""",
    14: """
        df-df-saip 5FD0 DF A14 | ef-suci-calc-info-usim 4F01 TR? A3 =FF..""",
    10: """
        adf-csim - ADF | ef-arr 6F06 LF?x46 S17 | ef-call-count 6F21 CY10x2
        ef-imsi-m 6F22 TR10 S04 | ef-imsi-t 6F23 TR10 S05 | ef-tmsi 6F24 TR16 S06
        ef-ah 6F25 TR2 | ef-aop 6F26 TR1 | ef-aloc 6F27 TR7 | ef-cdmahome 6F28 LF?x5 S0C
        ef-znregi 6F29 LF?x8 | ef-snregi 6F2A TR7 S0D | ef-distregi 6F2B TR8
        ef-accolc 6F2C TR1 S03 | ef-term 6F2D TR1 | ef-acp 6F2F TR7 | ef-prl 6F30 TR? S07
        ef-ruimid 6F31 TR? | ef-csim-st 6F32 TR? S02 | ef-spc 6F33 TR3 | ef-otapaspc 6F34 TR1
        ef-namlock 6F35 TR1 | ef-ota 6F36 TR17 | ef-sp 6F37 TR1 | ef-esn-meid-me 6F38 TR8
        ef-li 6F3A TR? S0A | ef-usgind 6F42 TR1 | ef-ad 6F43 TR3 S01 | ef-max-prl 6F45 TR4
        ef-spcs 6F46 TR1 | ef-mecrp 6F55 TR3 | ef-home-tag 6F70 TR? | ef-group-tag 6F71 TR?
        ef-specific-tag 6F72 TR? | ef-call-prompt 6F73 TR?""",
    11: """
        ef-ssci 6F2E TR1 | ef-fdn 6F3B LF?x? | ef-sms 6F3C LF?x192 | ef-smsp 6F3D LF?x23
        ef-smss 6F3E TR? | ef-ssfc 6F3F TR? | ef-spn 6F41 TR35 S08 | ef-mdn 6F44 LF?x11
        ef-ecc 6F47 TR? S09 | ef-me3gpdopc 6F48 TR1 | ef-3gpdopm 6F49 TR1 | ef-sipcap 6F4A TR4
        ef-mipcap 6F4B TR5 | ef-sipupp 6F4C TR? | ef-mipupp 6F4D TR? | ef-sipsp 6F4E TR1
        ef-mipsp 6F4F TR? | ef-sippapss 6F50 TR? | ef-puzl | ef-maxpuzl | ef-hrpdcap 6F56 TR3
        ef-hrpdupp 6F57 TR? | ef-csspr 6F58 TR1 | ef-atc 6F59 TR1 | ef-eprl 6F5A TR? S0E
        ef-bcsmscfg | ef-bcsmspref | ef-bcsmstable | ef-bcsmsp 6F5E LF?x2 | ef-bakpara
        ef-upbakpara | ef-mmsn 6F65 LF?x8 | ef-ext8 6F66 LF?x? | ef-mmsicp 6F67 TR?
        ef-mmsup 6F68 LF?x? | ef-mmsucp 6F69 TR? | ef-auth-capability | ef-3gcik 6F6B TR32 S0B
        ef-dck | ef-gid1 6F6D TR? | ef-gid2 6F6E TR? | ef-cdmacnl | ef-sf-euimid 6F74 TR7
        ef-est 6F75 TR? S0F | ef-hidden-key 6F76 TR? | ef-lcsver | ef-lcscp | ef-sdn 6F79 LF?x?
        ef-ext2 6F7A LF?x? | ef-ext3 6F7B LF?x? | ef-ici 6F7C CY?x? S10 | ef-oci 6F7D CY?x? S11
        ef-ext5 6F7E LF?x? | ef-ccp2 6F7F LF?x? S12 | ef-applabels | ef-model 6F81 TR126 | ef-rc
        ef-smscap | ef-mipflags | ef-3gpduppext | ef-ipv6cap | ef-tcpconfig | ef-dgc
        ef-wapbrowsercp | ef-wapbrowserbm | ef-mmsconfig | ef-jdl""",
}
CREATED_BY_DEFAULT = {1, 4, 8, 10}
MF_LEVEL = {1, 3}
MAIN = {4: "USIM", 8: "ISIM", 10: "CSIM"}  # those that make an application
OF_ISIM, OF_CSIM = {9}, {11}               # the others belong to the USIM
HIGH_UPDATE_ACTIVITY = 0x80
KINDS = {0x41: "TR", 0x42: "LF", 0x46: "CY", 0x78: "DF", 0x79: "BT"}

HEADER, GFM, PINS = "A0", "A1", "A2"
SERVICE_JAVACARD = "8B"
MF_ARR, ARR = "2F06", "6F06"


class Unknown(Exception):
    """The package leaves to the template what is not known here."""


# --- DER -------------------------------------------------------------------------------------


def take(octets):
    """The tag (hexadecimal) and the value of the first TLV, and what is behind it."""
    at = 1
    if octets[0] & 0x1F == 0x1F:
        while octets[at] & 0x80:
            at += 1
        at += 1
    tag = octets[:at].hex().upper()
    size = octets[at]
    at += 1
    if size & 0x80:
        n = size & 0x7F
        size = int.from_bytes(octets[at:at + n], "big")
        at += n
    if at + size > len(octets):
        raise ValueError("a TLV is longer than what is there")
    return tag, octets[at:at + size], octets[at + size:]


def children(octets):
    found = []
    while octets:
        tag, value, octets = take(octets)
        found.append((tag, value))
    return found


def tag_number(tag):
    octets = bytes.fromhex(tag)
    return octets[1] if len(octets) > 1 else octets[0] & 0x1F


# --- files -----------------------------------------------------------------------------------


class File:
    """A file as it must be on the card.  What is None is not known."""

    def __init__(self, path, name):
        self.path = path    # FIDs from the MF on, "7FD0" of an ADF being its temporary one
        self.name = name
        self.kind = None    # MF, DF, ADF, TR, LF, CY, BT
        self.aid = None
        self.size = None
        self.record = None  # length of a record
        self.sfi = 0        # 0: none
        self.rule = None    # FID and record of the access rule
        self.special = None
        self.lcsi = 5
        self.pins = None    # pinStatusTemplateDO
        self.content = None
        self.target = None  # of a link
        self.at = 0         # where the next contents go

    @property
    def fid(self):
        return self.path[-1]

    @property
    def is_df(self):
        return self.kind in ("MF", "DF", "ADF")


class Row:
    """One of TEMPLATES."""

    def __init__(self, text):
        self.name, *rest = text.split()
        self.fid = rest.pop(0) if rest and rest[0] != "-" else None
        rest = [part for part in rest if part != "-"]
        shape = rest.pop(0) if rest else ""
        self.kind = "DF" if shape == "MF" else shape[:3] if shape == "ADF" else shape[:2] or None
        self.known = bool(shape)
        self.count = self.record = self.size = self.arr = None
        self.sfi, self.high, self.default = 0, False, ""
        if self.kind in ("LF", "CY"):
            self.count, self.record = (None if n == "?" else int(n) for n in shape[2:].split("x"))
        elif self.kind == "TR" and shape != "TR?":
            self.size = int(shape[2:])
        for part in rest:
            if part == "h":
                self.high = True
            elif part[0] == "=":
                self.default = part[1:]
            elif part[0] == "A":
                self.arr = int(part[1:])
            else:
                self.sfi = int(part[1:], 16)


def rows_of(template):
    text = TEMPLATES[template].replace("\n", "|")
    return [Row(row) for row in text.split("|") if row.strip()]


def default_of(notation, n):
    """What the template has in so many octets; None if that is not known here."""
    if notation == "?":
        return None
    if notation.endswith("*"):
        return repeat(bytes.fromhex(notation[:-1]), n)
    head, dots, tail = notation.partition("..")
    head, tail = bytes.fromhex(head), bytes.fromhex(tail)
    if dots:
        return (head + head[-1:] * (n - len(head) - len(tail)) + tail)[:n]
    return (head + b"\xFF" * n)[:n]


def repeat(pattern, n):
    return (pattern * (n // len(pattern) + 1))[:n]


def fill(pattern, n):
    return (pattern + pattern[-1:] * n)[:n]


class Package:
    """A profile package, taken apart."""

    def __init__(self, octets):
        self.files = {}     # path: File, in the order of creation
        self.pins = {}      # (path of its DF, reference): (value, attributes)
        self.services = []
        self.iccid = None   # as in the header
        self.current = {}   # the application of each kind that came last
        self.context = ()   # where PINs of a PE-PINCodes belong
        self.shared_pins = {}
        for tag, value in children(octets):
            self._element(tag, children(value))

    def _element(self, tag, fields):
        if tag == HEADER:
            for field, value in fields:
                if field == "83":
                    self.iccid = value.hex().upper()
                elif field == "A5":
                    self.services = [service for service, _ in children(value)]
                elif field == "A9":
                    raise Unknown("an IoT minimal profile")
        elif tag == GFM:
            self._manage(fields[1][1])
        elif tag == PINS:
            self._pins(children(fields[1][1])[0])
        elif len(fields) > 1 and fields[1][0] == "81" and fields[1][1][:5].hex() == "67810f0102":
            self._template(fields[1][1][5:], fields[2:])

    # --- templates

    def _template(self, identifier, members):
        template = identifier[0]
        if len(identifier) != 1 or template not in TEMPLATES:
            raise Unknown(f"template {identifier.hex()}")
        rows = rows_of(template)
        items = {tag_number(tag) - 2: children(value) for tag, value in members}
        kind = MAIN.get(template) or ("ISIM" if template in OF_ISIM else
                                      "CSIM" if template in OF_CSIM else "USIM")
        base = () if template in MF_LEVEL or template in MAIN else self.current[kind]
        around, first_df = base, None
        for at, row in enumerate(rows):
            if at not in items and template not in CREATED_BY_DEFAULT:
                continue
            item = items.get(at, [])
            if ("80", b"") in item and template != 1:
                continue
            if not row.known and not item:
                continue
            for part in instances(item):
                file = self._create(base if row.kind in ("DF", "ADF") else around, row, part)
                if file.is_df:
                    around = file.path
                    if first_df is None:  # those behind it are its children
                        first_df = base = file.path
                        self.context = file.path
                    if row.kind == "ADF":
                        self.current[kind] = file.path

    def _create(self, parent, row, items):
        fcp = dict(children(items[0][1])) if items and items[0][0] == "A1" else {}
        items = [item for item in items if item[0] != "A1"]
        fid = fcp["83"].hex().upper() if "83" in fcp else row.fid
        if fid is None:
            raise Unknown(f"{row.name}: FID")
        path = () if fid == "3F00" else parent + (fid,)
        file = self._new(path, row.name, fcp, row.kind)
        file.rule = self._rule(file, fcp, row.arr)
        if "88" not in fcp:
            file.sfi = row.sfi if row.known else None
        if file.is_df or file.target is not None:
            return file
        defaults = row.arr is not None  # not of CSIM
        self._measure(file, fcp, row)
        if defaults:
            file.special = special_of(fcp, HIGH_UPDATE_ACTIVITY if row.high else 0)
        else:
            file.special = special_of(fcp)
        file.content = self._initial(file, fcp, row.default if defaults else "?")
        put(file, [("offset" if tag == "82" else "content", value) for tag, value in items])
        return file

    def _measure(self, file, fcp, row):
        if file.kind in ("LF", "CY") and file.record is None:
            file.record = row.record
        if file.size is None and file.kind == "TR":
            file.size = row.size
        elif file.size is None and row.count is not None and file.record is not None:
            file.size = row.count * file.record
        if file.size is None or (file.kind in ("LF", "CY") and file.record is None):
            raise Unknown(f"{row.name}: size")

    # --- what templates and generic file management have in common

    def _new(self, path, name, fcp, kind=None):
        if path in self.files:
            raise ValueError(f"{path} is there twice")
        file = File(path, name)
        descriptor = fcp.get("82")
        file.kind = KINDS[descriptor[0]] if descriptor else kind
        if path == ():
            file.kind = "MF"
        elif "84" in fcp:
            file.kind = "ADF"
        file.aid = fcp.get("84")
        file.pins = fcp.get("C6")
        if fcp.get("C7"):
            target = fcp["C7"].hex().upper()
            file.target = self.files[tuple(target[i:i + 4] for i in range(0, len(target), 4))]
            if file.target.is_df:
                raise Unknown("a link to a DF")
            file.kind, file.size = file.target.kind, file.target.size
            file.record = file.target.record
        else:
            if descriptor and len(descriptor) == 4:
                file.record = int.from_bytes(descriptor[2:], "big")
            if "80" in fcp:
                file.size = int.from_bytes(fcp["80"], "big")
        if "88" in fcp:
            file.sfi = fcp["88"][0] >> 3 if fcp["88"] else 0
        if "8A" in fcp:
            file.lcsi = fcp["8A"][0]
        self.files[path] = file
        return file

    @staticmethod
    def _rule(file, fcp, number=None):
        rule = fcp.get("8B") or (bytes([number]) if number else None)
        if rule is None:
            return None
        if len(rule) == 3:
            return rule[:2].hex().upper(), rule[2]
        return (MF_ARR if len(file.path) < 2 else ARR), rule[0]

    @staticmethod
    def _initial(file, fcp, default=""):
        if file.kind == "BT":
            return b""
        parts = info(fcp)
        unit = file.record or file.size
        if "C1" in parts:
            one = fill(parts["C1"], unit)
        elif "C2" in parts:
            one = repeat(parts["C2"], unit)
        else:
            one = default_of(default, unit)
        if one is None:
            return [None] * file.size
        return list(one * (file.size // unit)) if unit else []

    # --- generic file management

    def _manage(self, commands):
        for _, items in children(commands):
            where, current, made = (), None, False
            for tag, value in children(items):
                if tag == "80":
                    path = value.hex().upper()
                    path = tuple(path[i:i + 4] for i in range(0, len(path), 4))
                    current = self.files.get(path)
                    if current is None or current.is_df:
                        where, current = path, None
                    else:
                        where = path[:-1]
                        current.at = 0
                elif tag == "62":
                    fcp = dict(children(value))
                    file = self._new(where + (fcp["83"].hex().upper(),), "GFM", fcp)
                    file.rule = self._rule(file, fcp)
                    if file.is_df:
                        where, current = file.path, None
                        if not made:
                            self.context, made = file.path, True
                    else:
                        current = file
                        if "88" not in fcp:
                            file.sfi = int(file.fid, 16) & 0x1F
                        if file.target is None:
                            file.special = special_of(fcp, 0)
                            file.content = self._initial(file, fcp)
                else:
                    put(current, [("offset" if tag == "02" else "content", value)])

    # --- PINs

    def _pins(self, configuration):
        tag, value = configuration
        if tag == "81":
            path = value.hex().upper()
            self.shared_pins[self.context] = tuple(path[i:i + 4] for i in range(0, len(path), 4))
            return
        for _, pin in children(value):
            fields = dict(children(pin))
            reference = int.from_bytes(fields["80"], "big")
            attributes = fields.get("83", b"\7")[0]
            self.pins[self.context, reference] = (fields["81"], attributes)


def info(fcp):
    return dict(children(fcp["A5"])) if "A5" in fcp else {}


def special_of(fcp, default=None):
    special = info(fcp).get("C0")
    return special[0] if special else default


def instances(items):
    """A file's items, one list for each of its descriptors."""
    parts = [[]]
    for item in items:
        if item[0] == "A1" and parts[-1]:
            parts.append([])
        parts[-1].append(item)
    return parts


def put(file, fills):
    """Contents as the package has them, each behind the one before."""
    body = file.target or file
    for what, value in fills:
        if what == "offset":
            file.at += int.from_bytes(value, "big")
        elif file.kind == "BT":
            body.content += value
        elif file.at + len(value) > file.size:
            raise ValueError(f"{file.path}: contents beyond the end")
        else:
            body.content[file.at:file.at + len(value)] = value
            file.at += len(value)
