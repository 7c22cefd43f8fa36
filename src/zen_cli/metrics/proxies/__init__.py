"""The code of metrics, one a file; `registry.py` has the table. torch is imported by those that are measured."""
