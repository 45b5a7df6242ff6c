#!/usr/bin/python3
"""Reading commands of our card against a card that answers at once, in the same reader.

usage: bench_transport.py ECHO_CARD PCSC_BENCH       (and SOFTEUICC in the environment)

Prints the medians and their ratio; asserts nothing about time.
"""

import os
import subprocess
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", folder)
                for folder in ("pcsc", "cli")]

from harness import Client, Pcscd, scard  # noqa: E402
from programs import SELECT_ISDR, Process, RunningCard, Scratch, new_card, skip  # noqa: E402

ROUNDS = "2000"
COMMANDS = {
    "SELECT ISD-R": SELECT_ISDR,
    "GetEID": "80E2910006BF3E035C015A00",
    "MANAGE CHANNEL refused": "0070010000",
}


def measure(pcsc_bench, card):
    """{command: (length of the answer, median in microseconds)}, and the card is stopped."""
    client = Client()
    try:
        client.wait_until(present=True)
        lines = subprocess.run([pcsc_bench, client.reader, ROUNDS, *COMMANDS.values()],
                               check=True, capture_output=True, text=True).stdout.splitlines()
        card.stop()
        client.wait_until(present=False)
    finally:
        client.close()
    rows = (line.split() for line in lines)
    return {command: (int(length), float(us)) for command, length, us in rows}


def main():
    echo_card, pcsc_bench = sys.argv[1:3]
    scratch = Scratch()
    pcscd = Pcscd(scratch.path)
    pcscd.start()
    try:
        reader = f"127.0.0.1:{pcscd.port}"
        ours = measure(pcsc_bench, RunningCard(new_card(scratch.path), "--reader", reader))
        lengths = [f"{command[2:4]}={ours[command][0]}" for command in COMMANDS.values()]
        echo = measure(pcsc_bench, Process([echo_card, reader, *lengths]))
    finally:
        pcscd.stop()
        scratch.remove()
    print(f"{'command':<24}{'octets':>8}{'ours, us':>10}{'echo, us':>10}{'ratio':>8}")
    for name, command in COMMANDS.items():
        length, us = ours[command]
        bare = echo[command][1]
        print(f"{name:<24}{length:>8}{us:>10.1f}{bare:>10.1f}{us / bare:>8.2f}")


if __name__ == "__main__":
    if scard is None:
        skip("pyscard (package python3-pyscard) is not installed")
    main()
