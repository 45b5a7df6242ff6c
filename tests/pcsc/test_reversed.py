#!/usr/bin/python3
"""softeuicc run --listen with a reader of a real pcscd that connects to it (reversed mode).

Debian's driver connects once, at the start, and takes pcscd down with it when a slot's card is not
there or goes away.  So both slots have their card first, and neither is pulled here;
tests/cli/test_wire.py does that with a reader of its own.
"""

import unittest

from harness import SLOTS, Client, Pcscd, free_ports, scard
from programs import SELECT_ISDR, RunningCard, Scratch, atr_of, new_card, skip


class ReversedTest(unittest.TestCase):
    def test_the_reader_finds_a_card_in_each_slot(self):
        scratch = Scratch()
        self.addCleanup(scratch.remove)
        atr = atr_of(scratch.path)
        port = free_ports()
        for slot in range(SLOTS):
            address = f"127.0.0.1:{port + slot}"
            running = RunningCard(new_card(scratch.path, name=f"card{slot}"), "--listen", address)
            self.addCleanup(running.stop)
            running.says(f"waiting at {address}")

        pcscd = Pcscd(scratch.path, device=f"127.0.0.1:{port}")
        pcscd.start()
        self.addCleanup(pcscd.stop)
        for slot in range(SLOTS):
            client = Client(slot)
            self.addCleanup(client.close)
            client.connect()
            self.assertEqual(client.atr(), atr)
            self.assertEqual(client.ask(SELECT_ISDR)[1], "9000")


if __name__ == "__main__":
    if scard is None:
        skip("pyscard (package python3-pyscard) is not installed")
    unittest.main()
