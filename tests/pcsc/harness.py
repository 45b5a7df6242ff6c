"""A pcscd of the test's own, and PC/SC as its client.

libpcsclite reads PCSCLITE_CSOCK_NAME once a process, so a process has one Pcscd at a time, always
at the same place; it may be restarted.  Several processes may test at once.

As a program it runs a command inside such a pcscd:
    harness.py COMMAND...      with {port} in the command for the reader's first port
"""

import os
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

from programs import DEADLINE, SKIP, Process, Scratch, skip, wait_for  # noqa: E402

try:
    from smartcard import scard
except ImportError:
    scard = None

PRIVATE_PCSCD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools",
                             "private-pcscd")
SLOTS = 2
LISTENING = "0A"


def free_ports():
    """The first of as many neighbouring free ports as the reader has slots."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port = first.getsockname()[1]
            try:
                for slot in range(1, SLOTS):
                    socket.create_server(("127.0.0.1", port + slot)).close()
                return port
            except OSError:
                continue


def listens(port):
    """Whether somebody listens at the port, without connecting: a connection would be a card."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table, encoding="ascii") as rows:
            for row in list(rows)[1:]:
                local, state = row.split()[1], row.split()[3]
                if state == LISTENING and int(local.split(":")[1], 16) == port:
                    return True
    return False


class Pcscd:
    """A pcscd with a virtual reader; device: the DEVICENAME of a reader in reversed mode."""

    def __init__(self, folder, device=None):
        self.folder = folder
        self.device = device
        self.comm = os.path.join(folder, "pcscd.comm")
        self.port = 0
        self.process = None
        os.environ["PCSCLITE_CSOCK_NAME"] = self.comm

    def start(self):
        """A port may be taken by another in the moment between choosing and using it."""
        for _ in range(3):
            if self._start_at(self.port or free_ports()):
                return
        raise AssertionError(f"pcscd does not start:\n{self.process.output}")

    def _start_at(self, port):
        self.process = Process([PRIVATE_PCSCD, self.folder, self.device or str(port), "--info"])

        def settled():
            ended = self.process.process.poll() is not None
            return ended or "daemon ready" in self.process.output

        wait_for(settled, "pcscd")
        status = self.process.process.poll()
        if status == SKIP:
            skip(self.process.output.strip())
        if status is None and (self.device or all(listens(port + i) for i in range(SLOTS))):
            self.port = port
            return True
        self.process.stop()
        return False

    def stop(self):
        self.process.stop()


class PcscError(Exception):
    def __init__(self, what, code):
        super().__init__(f"{what}: {scard.SCardGetErrorMessage(code)}")
        self.code = code & 0xFFFFFFFF


def check(what, result):
    """The values behind a result code that is good."""
    code, values = result[0], result[1:]
    if code != scard.SCARD_S_SUCCESS:
        raise PcscError(what, code)
    return values[0] if len(values) == 1 else values


class Client:
    """A PC/SC client of one reader."""

    def __init__(self, slot=0):
        self.context = check("context", scard.SCardEstablishContext(scard.SCARD_SCOPE_USER))
        self.reader = wait_for(lambda: self._find(slot), f"slot {slot} of the reader")
        self.card = None
        self.protocol = None

    def _find(self, slot):
        code, names = scard.SCardListReaders(self.context, [])
        found = [n for n in names if "Virtual PCD" in n and n.endswith(f"{slot:02d}")]
        return found[0] if code == scard.SCARD_S_SUCCESS and found else None

    def wait_until(self, present):
        """Waits for the card to be there, or gone."""
        wanted = scard.SCARD_STATE_PRESENT if present else scard.SCARD_STATE_EMPTY
        state = scard.SCARD_STATE_UNAWARE
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            _, states = scard.SCardGetStatusChange(self.context, 1000, [(self.reader, state)])
            state = states[0][1] & ~scard.SCARD_STATE_CHANGED
            if state & wanted and not state & scard.SCARD_STATE_MUTE:
                return
        raise AssertionError(f"the reader does not say card {'in' if present else 'out'}")

    def connect(self, protocol=None):
        self.wait_until(present=True)
        self.card, self.protocol = check("connect", scard.SCardConnect(
            self.context, self.reader, scard.SCARD_SHARE_SHARED,
            protocol or scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1))

    def reconnect(self, how):
        self.protocol = check("reconnect", scard.SCardReconnect(
            self.card, scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_T0, how))

    def atr(self):
        return bytes(check("status", scard.SCardStatus(self.card))[3])

    def transmit(self, apdu):
        """One APDU in hex; the whole response in hex."""
        pci = scard.SCARD_PCI_T0 if self.protocol == scard.SCARD_PROTOCOL_T0 \
            else scard.SCARD_PCI_T1
        answer = check("transmit", scard.SCardTransmit(self.card, pci, list(bytes.fromhex(apdu))))
        return bytes(answer).hex().upper()

    def ask(self, apdu):
        """As a T=0 terminal: fetches what 61xx announces.  The data and the status word."""
        channel = apdu[1]
        response = self.transmit(apdu)
        data = response[:-4]
        while response[-4:-2] == "61":
            response = self.transmit(f"0{channel}C00000{response[-2:]}")
            data += response[:-4]
        return data, response[-4:]

    def disconnect(self, how=None):
        if self.card is not None:
            scard.SCardDisconnect(self.card, scard.SCARD_LEAVE_CARD if how is None else how)
        self.card = None

    def close(self):
        self.disconnect()
        scard.SCardReleaseContext(self.context)


def main():
    """Runs a command inside a pcscd of its own."""
    scratch = Scratch()
    pcscd = Pcscd(scratch.path)
    try:
        pcscd.start()
        command = [word.replace("{port}", str(pcscd.port)) for word in sys.argv[1:]]
        return subprocess.run(command, check=False).returncode
    finally:
        if pcscd.process is not None:
            pcscd.stop()
        scratch.remove()


if __name__ == "__main__":
    sys.exit(main())
