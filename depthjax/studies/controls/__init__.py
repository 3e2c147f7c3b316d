"""Descents through control networks, of which it is known what they keep."""
