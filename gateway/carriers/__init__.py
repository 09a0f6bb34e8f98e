"""Carriers: one file each, all of the shape in ``carrier.py``; ``emulator`` is the carrier's side, for trials."""
