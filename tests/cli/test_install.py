#!/usr/bin/python3
"""What meson install puts down is whole: the programs run where they are, a program of somebody
else's builds against the library, and it exports what its header declares.

usage: test_install.py BUILD EXAMPLE.c [FLAG]...
(and MESON, CC in the environment; the flags are those that the library was compiled with)
"""

import glob
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

from programs import EID, skip

BUILD, EXAMPLE, FLAGS = sys.argv[1], sys.argv[2], sys.argv[3:]
CC = shlex.split(os.environ.get("CC", "cc"))
MESON = shlex.split(os.environ.get("MESON", "meson"))


def done(*command, **more):
    """Standard output of a command that succeeds."""
    r = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    if r.returncode != 0:
        raise AssertionError(f"{command}: {r.returncode}\n{r.stdout}{r.stderr}")
    return r.stdout


class InstallTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix="seu-")
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        done(*MESON, "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", cls.root)

    def one(self, pattern):
        """The one installed file that the pattern means."""
        found = glob.glob(f"{self.root}/**/{pattern}", recursive=True)
        self.assertEqual(len(found), 1, f"{pattern}: {found}")
        return found[0]

    def test_programs_run_where_they_were_put(self):
        environment = {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}
        for name in ("softeuicc", "softeuicc-lab"):
            if name == "softeuicc-lab" and not os.path.exists(f"{BUILD}/lab/{name}"):
                continue  # built without it
            self.assertIn(name, done(self.one(f"bin/{name}"), "--version", env=environment))

    def test_man_pages_and_profiles_are_there(self):
        for pattern in ("man1/softeuicc.1", "man1/softeuicc-lab.1", "profiles/operational.der"):
            self.one(pattern)

    def test_the_library_has_a_soname_and_exports_its_header(self):
        library = self.one("libsofteuicc.so.[0-9].*")
        self.assertIn("SONAME) Library soname: [libsofteuicc.so.0]".replace(" ", ""),
                      done("readelf", "-d", library).replace(" ", ""))
        with open(self.one("include/softeuicc.h"), encoding="utf-8") as header:
            text = re.sub(r"/\*.*?\*/|typedef.*?;", "", header.read(), flags=re.DOTALL)
        declared = set(re.findall(r"\b(softeuicc_\w+)\(", text))
        exported = {line.split()[-1] for line in
                    done("nm", "-D", "--defined-only", library).splitlines()}
        self.assertGreater(len(declared), 20)
        self.assertEqual({name for name in exported if not name.startswith("_")}, declared)

    def test_the_example_builds_with_pkg_config_and_runs(self):
        pc = os.path.dirname(self.one("pkgconfig/softeuicc.pc"))
        flags = shlex.split(done("pkg-config", "--cflags", "--libs", "softeuicc", env={
            **os.environ, "PKG_CONFIG_PATH": pc, "PKG_CONFIG_SYSROOT_DIR": self.root}))
        example = f"{self.root}/example"
        done(*CC, "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", *FLAGS, EXAMPLE, *flags,
             "-o", example)
        said = done(example, env={**os.environ, "LD_LIBRARY_PATH": os.path.dirname(pc)})
        self.assertRegex(said, f"9000\nBF3E125A10{EID}9000\n$")

    def test_the_header_is_cplusplus_too(self):
        done("c++", "-x", "c++", "-std=c++11", "-pedantic", "-Wall", "-Wextra", "-Werror",
             "-fsyntax-only", "-include", self.one("include/softeuicc.h"), "/dev/null")


if __name__ == "__main__":
    for tool in ("pkg-config", "readelf", "nm", "c++"):
        if shutil.which(tool) is None:
            skip(f"{tool} is not installed")
    unittest.main(argv=sys.argv[:1])
