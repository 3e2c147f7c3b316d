"""Folders of results: begun, written, gone on with after a kill, and loaded back."""
