"""What a metric is worth on networks that were trained: tables of networks with accuracies, and statistics of picks.

`statistics.py` has the pure functions on arrays, `summary.py` applies them to every metric of a table, `reading.py`
reads a user's table, `measuring.py` computes the metrics of its networks, `figures.py` quotes what public tables say.
To add a statistic, add a function, its field in `Summary`, and its column in `ui/bench.py`.
"""
