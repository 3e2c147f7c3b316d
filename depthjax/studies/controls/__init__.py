"""Networks of which it is known what they keep."""
