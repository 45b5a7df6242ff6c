#!/usr/bin/python3
"""What tools/run and tools/check say where something is missing.

usage: test_tools.py SOURCES
"""

import os
import shutil
import subprocess
import sys
import unittest

from programs import DEADLINE, Scratch, skip

SOURCES = sys.argv.pop(1)
WORDS = ("bash", "dirname", "id")  # programs that the beginning of both needs


class ToolsTest(unittest.TestCase):
    """A copy of tools/ with a package more, and a folder of programs to choose from."""

    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.remove)
        self.programs = os.path.join(self.scratch.path, "bin")
        os.mkdir(self.programs)
        shutil.copytree(os.path.join(SOURCES, "tools"), os.path.join(self.scratch.path, "tools"))
        with open(os.path.join(self.scratch.path, "tools", "packages"), "w",
                  encoding="ascii") as packages:
            packages.write("no-such-package\n")
        for word in WORDS:
            os.symlink(shutil.which(word), os.path.join(self.programs, word))

    def program(self, name, text):
        path = os.path.join(self.programs, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(f"#!{shutil.which('bash')}\n{text}\n")
        os.chmod(path, 0o755)

    def says(self, status, text, *arguments):
        for tool in ("run", "check"):
            done = subprocess.run(
                [os.path.join(self.programs, "bash"),
                 os.path.join(self.scratch.path, "tools", tool), *arguments],
                env={"PATH": self.programs}, capture_output=True, text=True, timeout=DEADLINE,
                check=False)
            self.assertEqual(done.returncode, status, done.stdout + done.stderr)
            self.assertIn(text, done.stdout + done.stderr)
            self.assertNotIn("not found", done.stderr)

    def test_elsewhere_than_on_debian(self):
        self.says(1, "tools/run and tools/check are for Debian")

    def test_packages_that_cannot_be_installed(self):
        self.program("dpkg-query", "exit 1")
        self.program("grep", "exit 1")
        self.program("env", 'while [[ $1 == *=* ]]; do shift; done; "$@"')
        self.program("apt-get", "echo E: no network >&2; exit 100")
        os.unlink(os.path.join(self.programs, "id"))
        self.program("id", "echo 0")
        self.says(1, "could not be installed")

    def test_who_may_not_install_is_told_what_to_type(self):
        self.program("dpkg-query", "exit 1")
        self.program("grep", "exit 1")
        self.program("apt-get", "exit 0")
        self.program("sudo", "exit 1")
        os.unlink(os.path.join(self.programs, "id"))
        self.program("id", "echo 1000")
        self.says(1, "sudo apt-get install -y --no-install-recommends no-such-package")

    def test_wrong_usage(self):
        self.says(2, "usage: tools/", "--nonsense")


if __name__ == "__main__":
    if any(shutil.which(word) is None for word in WORDS):
        skip(f"one of {WORDS} is missing")
    unittest.main()
