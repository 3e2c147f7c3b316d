"""Pairs of picture files that a layer cannot tell apart, or tells apart best."""
