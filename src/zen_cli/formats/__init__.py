"""Bytes to networks and back: JSON streams, structure strings, other programs' files, and writing files in one step.

To add an input format, add one file with a `Format` and its line in the table of `table.py`.
"""
