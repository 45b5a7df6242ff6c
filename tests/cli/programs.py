"""softeuicc as a process, for tests: cards in a scratch folder, deadlines instead of sleeps."""

import ctypes
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

DEADLINE = 20.0  # seconds; a condition that is not met by then is a failure
SKIP = 77
PR_SET_PDEATHSIG = 1

SOFTEUICC = os.environ.get("SOFTEUICC", "softeuicc")

GET_EID = "81E2910006BF3E035C015A"
SELECT_ISDR = "00A4040010A0000005591010FFFFFFFF890000010000"
EID = "89049032123451234512345678901235"


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIP)


def wait_for(condition, what, deadline=DEADLINE):
    """Asks the condition again and again; its first true value."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline} s: {what}")
        time.sleep(0.01)


def softeuicc(*arguments, stdin=""):
    return subprocess.run([SOFTEUICC, *arguments], input=stdin, capture_output=True, text=True,
                          timeout=DEADLINE, check=False)


def new_card(folder, *arguments, name="card"):
    path = os.path.join(folder, name)
    made = softeuicc("new", path, *arguments)
    if made.returncode != 0:
        raise AssertionError(f"softeuicc new: {made.stderr}")
    return path


def atr_of(folder):
    """The ATR that a card of this build has, as softeuicc apdu tells it."""
    card = new_card(folder, name="atr-card")
    return bytes.fromhex(softeuicc("apdu", card, stdin="reset\n").stdout)


class Scratch:
    """A folder that goes away; short, because sockets have short names."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="seu-")

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


def die_with_the_test():
    """So that a test that is killed leaves nothing running."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Process:
    """A process whose output is collected while it runs."""

    def __init__(self, command, stdin=subprocess.DEVNULL):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        stdin=stdin, text=True, preexec_fn=die_with_the_test)
        self.said, self.ended = b"", False
        self.lock = threading.Lock()
        os.set_blocking(self.process.stdout.fileno(), False)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _take(self):
        """All that is in the pipe now."""
        with self.lock:
            while not self.ended:
                try:
                    octets = os.read(self.process.stdout.fileno(), 65536)
                except BlockingIOError:
                    return
                self.said += octets
                self.ended = not octets

    def _read(self):
        while not self.ended:
            select.select([self.process.stdout], [], [])
            self._take()

    @property
    def output(self):
        """What was written before now, all of it."""
        self._take()
        with self.lock:
            return self.said.decode(errors="replace").replace("\r\n", "\n")

    def says(self, text, times=1):
        """Waits until the text was printed so many times."""
        def said():
            return self.output.count(text) >= times or self.process.poll() is not None
        wait_for(said, f"'{text}' in the output:\n{self.output}")
        if self.output.count(text) < times:
            self.reader.join()
        if self.output.count(text) < times:
            raise AssertionError(f"ended without saying '{text}':\n{self.output}")

    def stop(self, number=signal.SIGTERM):
        """Sends the signal and returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(DEADLINE)
        self.reader.join(DEADLINE)
        with self.lock:
            self.ended = True
            self.process.stdout.close()
        return status


class RunningCard(Process):
    """softeuicc run."""

    def __init__(self, card, *arguments):
        super().__init__([SOFTEUICC, "run", card, *arguments])


class Control:
    """A client of the control socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(DEADLINE)
        wait_for(lambda: os.path.exists(path), "the control socket")
        self.socket.connect(path)
        self.answers = self.socket.makefile("r", encoding="utf-8")

    def ask(self, line):
        self.socket.sendall(line.encode() + b"\n")
        return self.answers.readline().rstrip("\n")

    def close(self):
        self.answers.close()
        self.socket.close()
