#!/usr/bin/python3
"""Run asn1c over our modules and print the C files it wrote, one a line.

    generate.py ASN1C OUTPUT-DIRECTORY MODULE.asn...

meson runs this each time it configures.  The directory is rewritten only when a module, this
file or asn1c itself has changed, so that configuring again costs nothing and rebuilds nothing.
"""

import hashlib
import pathlib
import shutil
import subprocess
import sys

# Nested types get their parents' names, or two modules would clash; a table of all types is
# what asn1/der.c uses to make the descriptors ready before anybody decodes.
FLAGS = ["-fcompound-names", "-pdu=all"]
STAMP = "stamp"
NOT_OURS = {"converter-sample.c"}  # asn1c's example program: it has a main()


def fingerprint(asn1c, modules):
    version = subprocess.run([asn1c, "-version"], capture_output=True, check=False)
    h = hashlib.sha256(version.stderr + version.stdout)
    h.update(" ".join(FLAGS).encode())
    for path in [pathlib.Path(__file__), *modules]:
        data = path.read_bytes()
        h.update(f"{path.name} {len(data)}\n".encode())
        h.update(data)
    return h.hexdigest()


def generate(asn1c, out, modules):
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    run = subprocess.run(
        [asn1c, *FLAGS, *[str(m.resolve()) for m in modules]],
        cwd=out, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        sys.exit(f"asn1c failed:\n{run.stdout}{run.stderr}")
    for support in out.iterdir():  # links into /usr/share would tie the build to this machine
        if support.is_symlink():
            target = support.resolve()
            support.unlink()
            shutil.copyfile(target, support)


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    asn1c, out = sys.argv[1], pathlib.Path(sys.argv[2])
    modules = [pathlib.Path(m) for m in sys.argv[3:]]

    stamp = out / STAMP
    now = fingerprint(asn1c, modules)
    if not stamp.exists() or stamp.read_text() != now:
        generate(asn1c, out, modules)
        stamp.write_text(now)
    for source in sorted(out.glob("*.c")):
        if source.name not in NOT_OURS:
            print(source)


main()
