#!/usr/bin/python3
"""Writes files as a C table: embed.py OUTPUT HEADER TABLE FOLDER FILE...

HEADER declares TABLE, of struct embedded_file; each file's name in it is its path below FOLDER."""

import os
import sys


def rows(octets):
    for at in range(0, len(octets), 16):
        yield "    " + " ".join("0x%02x," % octet for octet in octets[at:at + 16])


def main():
    output, header, table_name, folder, *files = sys.argv[1:]
    names = sorted((os.path.relpath(path, folder), path) for path in files)
    lines = ['/* Written by certs/embed.py. */', '#include "%s"' % header, ""]
    table = []
    for number, (name, path) in enumerate(names):
        with open(path, "rb") as file:
            octets = file.read()
        lines += ["static const unsigned char file_%d[] = {" % number, *rows(octets), "};", ""]
        table.append('    { "%s", file_%d, sizeof file_%d },' % (name, number, number))
    lines += ["const struct embedded_file %s[] = {" % table_name, *table, "    { NULL, NULL, 0 },", "};"]
    with open(output, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")


main()
