"""What people see: tables, progress, the live view of a search, messages. Data goes to stdout elsewhere.

Tables are laid out by `layout` for the width there is, numbers are written by `numbers`, and everything that reaches a
terminal goes through `terminal` and `live`. To add a table, make a `Sheet` of it.
"""
