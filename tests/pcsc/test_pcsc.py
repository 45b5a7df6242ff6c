#!/usr/bin/python3
"""softeuicc run in the reader of a real pcscd, seen by PC/SC clients."""

import os
import shutil
import subprocess
import unittest

from harness import PRIVATE_PCSCD, Client, PcscError, Pcscd, scard
from programs import (DEADLINE, EID, GET_EID, SELECT_ISDR, Control, Process, RunningCard, Scratch,
                      atr_of, new_card, skip, softeuicc)

OPEN_CHANNEL = "0070000001"
GET_ADDRESSES = "80E2910003BF3C0000"
SET_DEFAULT_DP_ADDRESS = "80E291000BBF3F088006612E6578616D"


class PcscTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = Scratch()
        cls.addClassCleanup(cls.scratch.remove)
        cls.atr = atr_of(cls.scratch.path)
        cls.pcscd = Pcscd(cls.scratch.path)
        cls.pcscd.start()
        cls.addClassCleanup(lambda: cls.pcscd.stop())

    def setUp(self):
        self.card = new_card(self.scratch.path, name=self.id().rsplit(".", maxsplit=1)[-1])
        self.control_path = os.path.join(self.scratch.path, "control")
        self.running = self.run_card(self.card, 0, "--control", self.control_path)

    def run_card(self, card, slot, *arguments):
        running = RunningCard(card, "--reader", f"127.0.0.1:{self.pcscd.port + slot}", *arguments)
        self.addCleanup(running.stop)
        return running

    def tearDown(self):
        self.running.stop()
        client = self.client()
        client.wait_until(present=False)

    def client(self, slot=0):
        client = Client(slot)
        self.addCleanup(client.close)
        return client

    def connected(self, protocol=None, slot=0):
        client = self.client(slot)
        client.connect(protocol)
        return client

    def test_pcsc_scan_sees_the_card(self):
        if shutil.which("pcsc_scan") is None:
            self.skipTest("pcsc_scan is not installed")
        self.client().wait_until(present=True)
        scan = Process(["pcsc_scan", "-n", "-t", str(int(DEADLINE))])
        self.addCleanup(scan.stop)
        scan.says("ATR: " + self.atr.hex(" ").upper())
        self.assertIn("Card inserted", scan.output)

    def test_the_atr_is_the_one_that_softeuicc_tells(self):
        self.assertEqual(self.connected().atr(), self.atr)

    def test_eid_on_the_basic_channel(self):
        client = self.connected()
        self.assertEqual(client.ask(SELECT_ISDR)[1], "9000")
        self.assertEqual(client.ask("80" + GET_EID[2:]), ("BF3E125A10" + EID, "9000"))

    def test_eid_on_a_logical_channel(self):
        client = self.connected()
        self.assertEqual(client.ask(OPEN_CHANNEL), ("01", "9000"))
        self.assertEqual(client.ask("01" + SELECT_ISDR[2:])[1], "9000")
        self.assertEqual(client.ask(GET_EID), ("BF3E125A10" + EID, "9000"))

    def test_a_terminal_that_knows_only_t0(self):
        client = self.connected(scard.SCARD_PROTOCOL_T0)
        self.assertEqual(client.protocol, scard.SCARD_PROTOCOL_T0)
        self.assertEqual(client.ask(SELECT_ISDR[:-2])[1], "9000")
        response = client.transmit("80" + GET_EID[2:])
        self.assertEqual(response, "6115")
        self.assertEqual(client.transmit("00C0000005"), "BF3E125A106110")
        self.assertEqual(client.transmit("00C0000010"), EID + "9000")

    def test_channels_open_close_and_run_out(self):
        client = self.connected()
        opened = []
        while len(opened) < 20 and (answer := client.ask(OPEN_CHANNEL))[1] == "9000":
            opened.append(int(answer[0], 16))
        self.assertEqual(opened, list(range(1, len(opened) + 1)))
        self.assertIn(len(opened), range(3, 20))
        self.assertEqual(client.ask("00708002"), ("", "9000"))
        self.assertEqual(client.ask(OPEN_CHANNEL), ("02", "9000"))

    def test_reset_and_power_close_the_channels(self):
        client = self.connected()
        for how in (scard.SCARD_RESET_CARD, scard.SCARD_UNPOWER_CARD):
            self.assertEqual(client.ask(OPEN_CHANNEL), ("01", "9000"))
            self.assertEqual(client.ask("01" + SELECT_ISDR[2:])[1], "9000")
            client.reconnect(how)
            self.assertEqual(client.atr(), self.atr)
            self.assertEqual(client.ask("01" + SELECT_ISDR[2:])[1], "6881")

    def test_a_client_that_leaves_with_unpower_can_come_back(self):
        for _ in range(3):
            client = self.connected(scard.SCARD_PROTOCOL_T0)
            self.assertEqual(client.ask(SELECT_ISDR)[1], "9000")
            client.disconnect(scard.SCARD_UNPOWER_CARD)

    def test_pull_and_insert(self):
        client = self.connected()
        control = Control(self.control_path)
        self.addCleanup(control.close)
        for _ in range(2):
            self.assertTrue(control.ask("pull").startswith("ok"))
            client.wait_until(present=False)
            with self.assertRaises(PcscError):
                client.transmit(OPEN_CHANNEL)
            client.disconnect()
            self.assertTrue(control.ask("insert").startswith("ok"))
            client.connect()
            self.assertEqual(client.ask(SELECT_ISDR)[1], "9000")

    def test_a_quick_pull_and_insert_is_seen(self):
        client = self.connected()
        control = Control(self.control_path)
        self.addCleanup(control.close)
        self.assertTrue(control.ask("pull").startswith("ok"))
        self.assertTrue(control.ask("insert").startswith("ok"))
        client.wait_until(present=False)
        client.wait_until(present=True)

    def test_a_power_cut_in_a_command_takes_the_card_away_and_back(self):
        client = self.connected()
        self.assertEqual(client.ask(SELECT_ISDR)[1], "9000")
        before = client.ask(GET_ADDRESSES)
        control = Control(self.control_path)
        self.addCleanup(control.close)
        self.assertTrue(control.ask("cut-after 0").startswith("ok"))
        self.assertEqual(client.transmit(SET_DEFAULT_DP_ADDRESS), "")
        client.wait_until(present=False)
        client.disconnect()
        client.connect()
        self.assertEqual(client.ask(SELECT_ISDR)[1], "9000")
        self.assertEqual(client.ask(GET_ADDRESSES), before)
        self.assertEqual(client.ask(SET_DEFAULT_DP_ADDRESS), ("BF3F03800100", "9000"))
        self.assertNotEqual(client.ask(GET_ADDRESSES), before)

    def test_the_card_survives_a_restart_of_pcscd(self):
        client = self.connected()
        client.close()
        self.pcscd.stop()
        self.running.says("waiting for a reader")
        self.pcscd.start()
        self.running.says("card is in the reader", times=2)
        self.assertEqual(self.connected().ask(SELECT_ISDR)[1], "9000")

    def test_two_cards_in_two_slots(self):
        self.run_card(new_card(self.scratch.path, name="other"), 1)
        clients = [self.connected(slot=slot) for slot in (0, 1)]
        self.assertEqual(clients[0].ask(OPEN_CHANNEL), ("01", "9000"))
        self.assertEqual(clients[1].ask("01" + SELECT_ISDR[2:])[1], "6881")

    def test_a_second_card_waits_for_its_turn(self):
        self.client().wait_until(present=True)
        second = self.run_card(new_card(self.scratch.path, name="second"), 0)
        second.says("does not look at this card")
        self.assertEqual(self.running.stop(), 0)
        second.says("card is in the reader")
        second.stop()

    def test_sigterm_ends_it_and_leaves_the_file_clean(self):
        client = self.connected()
        self.assertEqual(client.ask(SELECT_ISDR)[1], "9000")
        self.assertEqual(self.running.stop(), 0)
        client.wait_until(present=False)
        self.assertFalse(os.path.exists(self.card + "-wal"))
        self.assertEqual(softeuicc("show", self.card).returncode, 0)

    def test_a_card_in_use_is_not_opened_twice(self):
        self.client().wait_until(present=True)
        second = softeuicc("apdu", self.card)
        self.assertEqual(second.returncode, 1)
        self.assertIn("is served by pid", second.stderr)
        self.assertEqual(softeuicc("show", self.card).returncode, 0)

    @unittest.skipIf(os.geteuid() != 0, "a user's folders are open to himself")
    def test_a_folder_that_the_private_pcscd_cannot_enter_is_told(self):
        folder = os.path.join(self.scratch.path, "closed")
        os.makedirs(os.path.join(folder, "inside"))
        os.chmod(folder, 0o700)
        done = subprocess.run([PRIVATE_PCSCD, os.path.join(folder, "inside"), "1"],
                              capture_output=True, text=True, timeout=DEADLINE, check=False)
        self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
        self.assertIn("open the folders above it", done.stderr)

    def test_doctor_finds_everything_well(self):
        self.client().wait_until(present=True)
        doctor = softeuicc("doctor")
        self.assertEqual(doctor.returncode, 0, doctor.stdout)
        self.assertIn("a card is in it", doctor.stdout)
        self.assertIn("an APDU takes", doctor.stdout)


if __name__ == "__main__":
    if scard is None:
        skip("pyscard (package python3-pyscard) is not installed")
    unittest.main()
