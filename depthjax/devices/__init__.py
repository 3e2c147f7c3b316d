"""Devices and processes: who does which part of a batch, what fits into memory, which precision."""
