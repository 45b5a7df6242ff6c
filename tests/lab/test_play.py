#!/usr/bin/python3
"""softeuicc-lab play: not written yet."""
