#!/usr/bin/python3
"""Writes the profile packages of the demo as C: demo_profiles.py OUTPUT NAME.der..."""

import os
import sys


def rows(octets):
    for at in range(0, len(octets), 16):
        yield "    " + " ".join("0x%02x," % octet for octet in octets[at:at + 16])


def main():
    output, *files = sys.argv[1:]
    lines = ['/* Written by lab/demo_profiles.py. */', '#include "lab/demo_profiles.h"']
    for path in files:
        name = os.path.splitext(os.path.basename(path))[0]
        with open(path, "rb") as file:
            octets = file.read()
        lines += ["", "static const uint8_t %s[] = {" % name, *rows(octets), "};",
                  "const struct demo_profile demo_%s = { %s, sizeof %s };" % (name, name, name)]
    with open(output, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")


main()
