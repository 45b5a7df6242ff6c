"""pySim's own card tests for the commands of an eUICC, unmodified, against the preset pysim.

Wants SOFTEUICC_PYSIM in the environment, pySim's source folder, and PYTHONPATH for what that needs;
skips without.  What its README asks of whoever runs the tests is done here: the cards that are
there, which is ours, and its EID go into config.yaml and card_data.csv.  The icon of its reference
for GetProfilesInfo comes from there too.
"""

import json
import os
import shutil
import subprocess
import sys
import unittest

from harness import Client, Pcscd, scard
from programs import DEADLINE, EID, RunningCard, Scratch, new_card, skip, softeuicc

PYSIM = os.environ.get("SOFTEUICC_PYSIM")
SUITE = os.path.join("tests", "pySim-shell_test")
CARD = "sysmoEUICC1-C2T"


class PysimTest(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.remove)
        self.pcscd = Pcscd(self.scratch.path)
        self.pcscd.start()
        self.addCleanup(self.pcscd.stop)
        self.top = os.path.join(self.scratch.path, "pysim")
        self.tests = os.path.join(self.top, SUITE)
        self.copy()

    def copy(self):
        """The tests write beside themselves: a copy, with links to the rest."""
        os.makedirs(os.path.join(self.top, "tests"))
        for name in ("pySim", "pySim-shell.py"):
            os.symlink(os.path.join(PYSIM, name), os.path.join(self.top, name))
        shutil.copytree(os.path.join(PYSIM, SUITE), self.tests)

    def configure(self, atr):
        with open(os.path.join(self.tests, "config.yaml"), "w", encoding="utf-8") as f:
            f.write(f'regenerate: False\nkeepfiles: False\nprint_content: True\ncards:\n'
                    f' - name : "{CARD}"\n   atr : "{atr}"\n   eid : "{EID}"\n')
        with open(os.path.join(self.tests, "card_data.csv"), "w", encoding="utf-8") as f:
            f.write(f"eid,iccid,adm1\n{EID},0,0\n")

    def icon(self):
        path = os.path.join(self.tests, "euicc", "get_profiles_info.ok")
        with open(path, encoding="utf-8") as reference:
            return json.load(reference)["profile_info_seq"][0]["profile_info"]["icon"]

    def environment(self):
        """pySim's modules and the tests' own, and this python for its scripts."""
        def before(name, *paths):
            return os.pathsep.join((*paths, os.environ.get(name, "")))
        return {**os.environ, "PYTHONPATH": before("PYTHONPATH", self.top, self.tests),
                "PATH": before("PATH", os.path.dirname(sys.executable))}

    def test_euicc(self):
        card = new_card(self.scratch.path, "--preset", f"pysim,icon={self.icon()}")
        self.configure(softeuicc("apdu", card, stdin="reset\n").stdout.strip())
        running = RunningCard(card, "--reader", f"127.0.0.1:{self.pcscd.port}")
        self.addCleanup(running.stop)
        Client().wait_until(present=True)
        done = subprocess.run([sys.executable, "-B", "-m", "unittest", "-v", "euicc.test"],
                              cwd=self.tests, env=self.environment(), capture_output=True,
                              text=True, timeout=10 * DEADLINE, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("Ran 6 tests", done.stderr)


if __name__ == "__main__":
    if PYSIM is None:
        skip("SOFTEUICC_PYSIM does not name pySim's source folder")
    if scard is None:
        skip("pyscard is not installed")
    unittest.main()
