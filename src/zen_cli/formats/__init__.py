"""Bytes to networks and back: JSON streams, structure strings, files written in one step.

To add an input format, add one file and its line in the table of `reading.py`.
"""
