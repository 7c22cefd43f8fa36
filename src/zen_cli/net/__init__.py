"""What a network is: the spec and its ops, the layers that a score sees, exact counts, the training-form module.

Nothing here reads files or computes scores. To add an op, add one file in `ops/` and its line in `ops/__init__.py`.
"""
