"""What people see: tables, progress, the live view of a search. Data goes to stdout elsewhere, never from here."""
