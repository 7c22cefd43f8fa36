"""Architecture search: the problem (space, objective, limits), algorithms, the loop, run directories, the answer."""
