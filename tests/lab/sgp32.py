"""What the stories of SGP.32 are played with: eIMs and a device, each driven by its command line."""

import json
import os
import shutil
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from programs import DEADLINE, EID, Process, softeuicc, wait_for  # noqa: E402
from test_lab import LAB, PROFILE  # noqa: E402

PROFILES = os.path.dirname(PROFILE)
TESTDATA = os.environ.get("SOFTEUICC_TESTDATA", "")
TS48 = "TS48v5_SAIP2.3_BERTLV_SUCI"

ICCIDS = {"operational": "8900010000000000019", "tuak": "8900010000000000118",
          "bootstrap": "8900010000000000134", TS48: "89000123456789012341"}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def published():
    """A TS.48 profile where the test data are, else one of ours."""
    return TS48 if os.path.exists(os.path.join(TESTDATA, "ts48", TS48 + ".der")) else "tuak"


def serve_folder(folder, fallback):
    """A folder for smdpp with our profiles and the published one; these may be fallen back to."""
    os.mkdir(folder)
    for name in ICCIDS:
        source = os.path.join(TESTDATA, "ts48") if name == TS48 else PROFILES
        source = os.path.join(source, name + ".der")
        if os.path.exists(source):
            shutil.copyfile(source, os.path.join(folder, name + ".der"))
    for name in fallback:
        with open(os.path.join(folder, name + ".metadata"), "w", encoding="ascii") as f:
            f.write("fallback-allowed=yes\n")


def lab(*arguments, status=0):
    """softeuicc-lab: what it printed, and what it complained of."""
    done = subprocess.run([LAB, *arguments], capture_output=True, text=True, check=False,
                          timeout=2 * DEADLINE)
    if done.returncode != status:
        raise AssertionError(f"{' '.join(arguments)}: {done.returncode}\n{done.stdout}"
                             f"{done.stderr}")
    return done.stdout, done.stderr


class Eim:
    """softeuicc-lab eim with one DB."""

    def __init__(self, folder, name, *options):
        self.db = os.path.join(folder, name + ".db")
        self.initial = os.path.join(folder, name + ".der")
        self.ready = os.path.join(folder, name + ".ready")
        self.id = name
        self.server = None
        self.do("new", "--eim-id", name, "--fqdn", f"127.0.0.1:{free_port()}", *options)
        self.do("config", "--request", "--out", self.initial)

    def do(self, subcommand, *arguments, status=0):
        return lab("eim", subcommand, self.db, *arguments, status=status)[0]

    def serve(self, *options):
        if os.path.exists(self.ready):
            os.remove(self.ready)
        self.server = Process([LAB, "eim", "serve", self.db, "--ready-file", self.ready, *options])
        self.server.says("listening at ")
        wait_for(lambda: os.path.exists(self.ready), "the ready file")
        with open(self.ready, encoding="utf-8") as f:
            self.address = f.read().split("listening at ")[1].split()[0].rstrip(",")

    def stop(self):
        if self.server is not None:
            self.server.stop()
        self.server = None

    def log(self):
        return [json.loads(line) for line in self.server.output.splitlines()[1:]]

    def queue(self, *operation):
        return self.do("queue", EID, *operation).strip()

    def results(self, number, status=0):
        lines = self.do("results", EID, "--number", number, status=status).splitlines()
        return [json.loads(line) for line in lines]

    def works(self):
        """State and number of hand-outs by number of work."""
        shown = json.loads(self.do("show", EID, "--json"))
        shown = shown[0] if isinstance(shown, list) else shown
        return {str(w["number"]): w for w in shown["work"]}


class Device:
    """An eUICC and the device it is in; where: --card FILE or --reader NUMBER."""

    def __init__(self, card, where=None):
        self.card = card
        self.where = where or ["--card", card]

    def ipa(self, *arguments, status=0):
        return lab("ipa", *self.where, *arguments, status=status)

    def states(self):
        """What the card's file says."""
        return {p["iccid"]: p["state"] for p in self.show()["profiles"]}

    def show(self):
        done = softeuicc("show", "--json", self.card)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return json.loads(done.stdout)
