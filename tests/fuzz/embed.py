#!/usr/bin/python3
"""Write a file as a C array: embed.py NAME INPUT OUTPUT."""

import pathlib
import sys

name, source, target = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
octets = source.read_bytes()
lines = [", ".join(str(o) for o in octets[i:i + 20]) for i in range(0, len(octets), 20)]
target.write_text(f'#include "tests/fuzz/profile.h"\n\nconst uint8_t {name}[] = {{\n    '
                  + ",\n    ".join(lines) + f"\n}};\nconst size_t {name}_len = sizeof {name};\n")
