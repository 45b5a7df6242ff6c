#!/usr/bin/python3
"""What a card with its own IPA costs on the air, against what the messages alone need.

usage: bench_air.py SOFTEUICC_LAB PACKAGE       (a TS.48 package, or another)

The demo counts; here its figures are set in relation:

  payload   octets of the ESipa messages themselves, without HTTP or CoAP, TLS, TCP
  air       octets in TCP segments and datagrams, DNS included
  pairs     APDU pairs, against the least that SEND DATA and RECEIVE DATA need for these octets
            when each is as long as an APDU lets it be (TS 102 223 6.6.29, 6.6.30); what is above
            it are the events that tell of data, other commands, and pieces at the end of a message
            that are not full
"""

import json
import subprocess
import sys

FETCH = 256
RESPONSE = 255
COMMAND_FRAME = 3 + 5 + 4     # tag and length, command details, device identities
RESPONSE_FRAME = 5 + 4 + 3    # command details, device identities, result
DATA_HEADER = 3               # channel data, from 128 octets on
LENGTH = 3                    # channel data length
SEND_MAX = FETCH - COMMAND_FRAME - DATA_HEADER
RECEIVE_MAX = RESPONSE - RESPONSE_FRAME - DATA_HEADER - LENGTH
STEPS = {"quiet": "an empty poll", "enable": "an enable", "download": "a download"}


def least_pairs(sent, received):
    """FETCH and TERMINAL RESPONSE for each piece."""
    return 2 * (-(-sent // SEND_MAX) + -(-received // RECEIVE_MAX))


def payload(step):
    return sum(message.get("octets", 0) for message in step["messages"]
               if {message.get("from"), message.get("to")} == {"card", "eIM"})


def main():
    lab, package = sys.argv[1:3]
    for binding, options in (("HTTPS", []), ("CoAP", ["--coap"])):
        done = subprocess.run([lab, "demo", "--json", "--profile", package, *options], check=True,
                              capture_output=True, text=True)
        steps = {step["name"]: step for step in json.loads(done.stdout)["steps"]}
        for name, what in STEPS.items():
            step = steps[name]
            air = step["sent"] + step["received"]
            print(f"air, {what} over {binding}: {air} octets, payload {payload(step)}, "
                  f"ratio {air / payload(step):.2f}")
        step = steps["download"]
        least = least_pairs(step["sent"], step["received"])
        print(f"APDU pairs, a download over {binding}: {step['apdus']} pairs, least {least}, "
              f"ratio {step['apdus'] / least:.2f} (aim 1.1); {2 * step['bipCommands']} of channels, "
              f"{step['envelopes']} of events, the rest of timers and the date")


if __name__ == "__main__":
    main()
