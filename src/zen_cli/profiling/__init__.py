"""Measures a machine: layers inside random networks, a law for each kind of operation, and how wrong it is.

`backends/` runs networks (one a file), `probes` draws them, `references` are those that are measured again later,
`sampling` visits them, `fitting` makes the laws, `finalists` measures what a search found,
`profile` goes from settings to a target and can go on where it was cut off, and `kept` finds targets by name.
"""
