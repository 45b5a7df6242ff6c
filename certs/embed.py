#!/usr/bin/python3
"""Writes the committed PKI as C: embed.py OUTPUT FOLDER FILE...

FOLDER is certs/; each file's name in the table is its path below it."""

import os
import sys


def rows(octets):
    for at in range(0, len(octets), 16):
        yield "    " + " ".join("0x%02x," % octet for octet in octets[at:at + 16])


def main():
    output, folder, *files = sys.argv[1:]
    names = sorted((os.path.relpath(path, folder), path) for path in files)
    lines = ['/* Written by certs/embed.py. */', '#include "certs/embedded.h"', ""]
    table = []
    for number, (name, path) in enumerate(names):
        with open(path, "rb") as file:
            octets = file.read()
        lines += ["static const unsigned char file_%d[] = {" % number, *rows(octets), "};", ""]
        table.append('    { "%s", file_%d, sizeof file_%d },' % (name, number, number))
    lines += ["const struct embedded_file embedded_files[] = {", *table, "    { NULL, NULL, 0 },", "};"]
    with open(output, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")


main()
