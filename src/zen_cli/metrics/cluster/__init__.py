"""Draws on several machines: one more executor, over anything that can start workers and send them work.

    fleet       what a cluster can do: nodes, workers, messages; and what is known of a worker
    crew        the workers of a run: started, replaced when lost, each with one batch in work and one waiting
    workers     the draws of one metric on a crew, behind the engine's protocol
    actor       what runs on a node: the engine of that machine
    ray_fleet   a fleet of Ray actors
    reach       whether Ray answers at an address
    connect     joining a Ray cluster, or starting one on this machine; one line says why that failed, within 15 seconds

A score depends on its network, the settings and the seed alone, so a draw that may be lost is simply made again, and a
draw that comes twice counts once.
"""
