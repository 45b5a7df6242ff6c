#!/usr/bin/python3
"""Plays APDU transcripts against a fresh card each and compares every answer.

    play.py --softeuicc PROGRAM --profile DER [--pcsc] TRANSCRIPT...

A transcript is read line by line; blanks within octets do not count, # begins a comment:

    # new: OPTIONS     how the card is made: options of "softeuicc new"; {operational} is the
                       profile package of --profile, {operational:ICCID} the same with another
                       ICCID (20 digits of its header, written as there)
    reset              a reset; a line "<" behind it is compared with the ATR
    > OCTETS           a command APDU
    < WANTED | WANTED  what it is answered with, data and status word

Octets are hexadecimal digits, 'text' in quotes, and {name}, what was captured by that name.
Wanted is octets in which X stands for any digit, ... for any octets (also none), * alone for
any answer, {name:N} for N octets that get this name, {name} for the same octets again, {!name}
for as many others.  "< mute" wants no answer at all.

Through PC/SC (--pcsc), the card is served by "softeuicc run" to a pcscd of the player's own.
The exit status is 0, 1 when an answer differs, 77 when there is no pcscd."""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
DEADLINE = 60.0  # seconds for a whole transcript on a pipe
ICCID = "8900010000000000019F"  # of profiles/operational.xer, as in its header


class Bad(Exception):
    """The transcript itself is wrong."""


# --- transcripts -----------------------------------------------------------------------------


TOKEN = re.compile(r"""\s*(?: '(?P<text>[^']*)'
                            | \{(?P<capture>\w+):(?P<octets>\d+)\}
                            | \{!(?P<other>\w+)\}
                            | \{(?P<name>\w+)\}
                            | (?P<any>\.\.\.)
                            | (?P<digits>[0-9A-FX]+)) """, re.VERBOSE)


def tokens(text):
    at = 0
    text = text.strip()
    while at < len(text):
        found = TOKEN.match(text, at)
        if not found:
            raise Bad(f"not understood: {text[at:]}")
        yield found
        at = found.end()


def captured(names, name):
    if name not in names:
        raise Bad(f"nothing was captured as {name}")
    return names[name]


def octets(text, names):
    """A command, as hexadecimal digits."""
    digits = ""
    for token in tokens(text):
        if token["text"] is not None:
            digits += token["text"].encode().hex().upper()
        elif token["name"]:
            digits += captured(names, token["name"])
        elif token["digits"] and "X" not in token["digits"]:
            digits += token["digits"]
        else:
            raise Bad(f"not for a command: {token[0].strip()}")
    if len(digits) % 2:
        raise Bad("half an octet")
    return digits


def pattern(text, names):
    """A regular expression for one answer, and the names it captures."""
    others = []
    expression = ""
    for token in tokens(text):
        if token["text"] is not None:
            expression += token["text"].encode().hex().upper()
        elif token["capture"]:
            expression += f"(?P<{token['capture']}>[0-9A-F]{{{2 * int(token['octets'])}}})"
        elif token["other"]:
            value = captured(names, token["other"])
            group = f"other_{len(others)}"
            others.append((group, value))
            expression += f"(?P<{group}>[0-9A-F]{{{len(value)}}})"
        elif token["name"]:
            expression += captured(names, token["name"])
        elif token["any"]:
            expression += "(?:[0-9A-F]{2})*"
        else:
            expression += token["digits"].replace("X", "[0-9A-F]")
    return re.compile(expression), others


def matches(answer, wanted, names):
    """Whether one of the alternatives fits; its captures are added to names."""
    for one in wanted.split("|"):
        one = one.strip()
        if one == "mute" or answer == "":
            if one == "mute" and answer == "":
                return True
            continue
        if one == "*":
            return True
        expression, others = pattern(one, names)
        found = expression.fullmatch(answer)
        if found and all(found[group] != value for group, value in others):
            names.update({k: v for k, v in found.groupdict().items()
                          if not k.startswith("other_")})
            return True
    return False


class Transcript:
    def __init__(self, path):
        self.path = path
        self.options = []
        self.steps = []  # [line number, "reset" or octets, wanted or None]
        with open(path, encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                self._take(number, line)
        for number, command, wanted in self.steps:
            if wanted is None and command != "reset":
                raise Bad(f"{path}:{number}: no answer is wanted")

    def _take(self, number, line):
        if line.startswith("# new:"):
            self.options += line[len("# new:"):].split()
        line = line.split("#")[0].strip()
        if line.startswith(">"):
            self.steps.append([number, line[1:].strip(), None])
        elif line.startswith("<"):
            if not self.steps or self.steps[-1][2] is not None:
                raise Bad(f"{self.path}:{number}: an answer to nothing")
            self.steps[-1][2] = line[1:].strip()
        elif line == "reset":
            self.steps.append([number, "reset", None])
        elif line:
            raise Bad(f"{self.path}:{number}: begins with neither > nor < nor #")


# --- cards -----------------------------------------------------------------------------------


def swapped(digits):
    return "".join(digits[i + 1] + digits[i] for i in range(0, len(digits), 2))


def with_iccid(der, iccid):
    """The package with another ICCID, in its header and in EF.ICCID."""
    for form in (lambda digits: digits, swapped):
        old, new = bytes.fromhex(form(ICCID)), bytes.fromhex(form(iccid))
        der = der.replace(old, new)
    return der


def make_card(program, folder, options, profile):
    """A new card as the transcript wants it; its path."""
    command = [program, "new", os.path.join(folder, "card")]
    for option in options:
        found = re.fullmatch(r"\{operational(?::(\w{20}))?\}", option)
        if found and found[1]:
            with open(profile, "rb") as package:
                der = with_iccid(package.read(), found[1])
            option = os.path.join(folder, found[1] + ".der")
            with open(option, "wb") as package:
                package.write(der)
        elif found:
            option = profile
        command.append(option)
    made = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    if made.returncode != 0:
        raise Bad(f"softeuicc new: {made.stderr.strip()}")
    return os.path.join(folder, "card")


class PipeCard:
    """softeuicc apdu."""

    def __init__(self, program, card):
        self.process = subprocess.Popen([program, "apdu", card], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.watchdog = threading.Timer(DEADLINE, self.process.kill)
        self.watchdog.start()

    def _ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise AssertionError(f"softeuicc apdu ended, status {self.process.wait()}")
        return answer.strip()

    def reset(self):
        return self._ask("reset")

    def transmit(self, command):
        return self._ask(command)

    def close(self):
        self.process.stdin.close()
        status = self.process.wait(DEADLINE)
        self.watchdog.cancel()
        self.process.stdout.close()
        if status != 0:
            raise AssertionError(f"softeuicc apdu ended with status {status}")


class Reader:
    """A pcscd with a reader that takes one card after the other."""

    def __init__(self, program):
        os.environ["SOFTEUICC"] = program
        sys.path.insert(0, os.path.join(HERE, "..", "pcsc"))
        import harness  # pylint: disable=import-outside-toplevel
        import programs  # pylint: disable=import-outside-toplevel
        self.harness, self.programs = harness, programs
        if harness.scard is None:
            programs.skip("pyscard is not installed")
        self.scratch = programs.Scratch()
        self.pcscd = harness.Pcscd(self.scratch.path)
        self.pcscd.start()

    def insert(self, card):
        return PcscCard(self, card)

    def close(self):
        self.pcscd.stop()
        self.scratch.remove()


class PcscCard:
    """softeuicc run, seen by a PC/SC client."""

    def __init__(self, reader, card):
        self.scard = reader.harness.scard
        self.running = reader.programs.RunningCard(card, "--reader",
                                                   f"127.0.0.1:{reader.pcscd.port}")
        self.client = reader.harness.Client()
        self.client.connect()

    def reset(self):
        self.client.reconnect(self.scard.SCARD_RESET_CARD)
        return self.client.atr().hex().upper()

    def transmit(self, command):
        return self.client.transmit(command)

    def close(self):
        self.client.disconnect()
        self.running.stop()
        self.client.wait_until(present=False)
        self.client.close()


# --- playing ---------------------------------------------------------------------------------


def play(transcript, card):
    """The number of answers that differ."""
    names = {}
    failures = 0
    for number, command, wanted in transcript.steps:
        try:
            sent = command if command == "reset" else octets(command, names)
            answer = card.reset() if sent == "reset" else card.transmit(sent)
            good = wanted is None or matches(answer, wanted, names)
        except Bad as bad:
            raise Bad(f"{transcript.path}:{number}: {bad}") from bad
        if not good:
            failures += 1
            print(f"{transcript.path}:{number}\n  > {sent}\n  < {answer}\n  wanted {wanted}")
    return failures


def play_on_a_card(transcript, arguments, reader):
    with tempfile.TemporaryDirectory(prefix="seu-") as folder:
        path = make_card(arguments.softeuicc, folder, transcript.options, arguments.profile)
        card = reader.insert(path) if reader else PipeCard(arguments.softeuicc, path)
        try:
            failures = play(transcript, card)
        finally:
            card.close()
    verdict = "good" if failures == 0 else f"{failures} differ"
    print(f"{os.path.basename(transcript.path)}: {len(transcript.steps)} steps, {verdict}")
    return failures


def main():
    parser = argparse.ArgumentParser(description="Plays APDU transcripts.")
    parser.add_argument("--softeuicc", required=True, help="the program")
    parser.add_argument("--profile", required=True, help="the profile package {operational}")
    parser.add_argument("--pcsc", action="store_true", help="through a reader of a pcscd")
    parser.add_argument("transcripts", nargs="+")
    arguments = parser.parse_args()

    failures = 0
    reader = Reader(arguments.softeuicc) if arguments.pcsc else None
    try:
        for path in arguments.transcripts:
            failures += play_on_a_card(Transcript(path), arguments, reader)
    except Bad as bad:
        print(bad)
        failures += 1
    finally:
        if reader:
            reader.close()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
