"""The search: limits, evolution, and the run directory."""
