"""The proven optimum: the best network of a space within limits, and a bound that no network of it exceeds.

    problem   what is to be solved
    support   what cannot be solved, and why
    depths    what a path must know of its depth
    first_cost  what the first cost counts: parameters, weights or milliseconds
    graph     what is left of a problem: the blocks that each position can still have, widths in cells
    gains     gains, costs and evenness as arrays, and what they are worth
    evenly    evenness as an objective or as a floor
    relaxation  what is worth what at prices and tangents
    tables    gains and costs of a sub-layer, for all cells of its widths
    live      what a limit on memory leaves out of the tables
    program   the dynamic program: the best path at given prices
    paths     the best path, and all that are good enough, one by one
    reduce    smaller graphs: what no good path uses is removed; the space is cut in two
    prices    the prices that make the bound lowest
    bundle    the same for prices and tangents at once
    counts    units per stage: one program bounds all ways to divide them
    divide    problems with evenness, division by division
    labels    beginnings of networks, and which of them no other one is as good as
    listing   what is left of a part, one by one: the bound becomes the truth
    effects   other blocks in the place of one, and what they change
    starts    networks that are even by construction
    polish    local search from paths to networks within the limits
    tighten   prices and tangents that make the bound of a part of a problem lowest
    search    branch and bound: all of this together
    lines     all members of a space of RegNets
    line_tables  what their stages gain and cost
    listed    the best of them, by arrays
    result    what a search found and proved
    solve     the exact search as functions
    solve_listed  the same for spaces of RegNets, which are listed whole
    algorithm the exact search as an entry of the table of algorithms

docs/exact.md explains why the bound holds. Arrays are numpy's, without linear algebra, so that nothing here uses a
second thread; torch is never imported.
"""
