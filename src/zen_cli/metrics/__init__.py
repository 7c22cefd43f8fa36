"""Numbers of a network: the Zen-score in closed form and by Monte-Carlo, other zero-shot scores, exact costs.

To add a metric, add one file in `proxies/` and its line in the table there, or an entry point in a package of your own.
"""
