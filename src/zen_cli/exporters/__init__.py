"""Exporters: a network as files that other programs run. One target a file, one table, every file checked.

    target, table   what a target is, and the table of targets
    to_*            one target each; to add one, add a file with its class, and a line in `table`
    layout          how a network is divided and named
    source          a network to export, with weights and module
    backbone, timm_backbone, ..net.unit_modules    the code that Python files are made of
    standalone      copies code with all that it names
    pysource        what differs from file to file: the docstring and the lines that build the network
    plan, run       what is made and where it goes; making, checking and writing it
    check, checker  compares what was exported with the module that it came from, in a process without zen

Importing this needs no torch; what computes imports it, so `json`, `plainnet`, `mermaid` and `svg` never do.
"""
