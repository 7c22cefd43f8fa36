"""The user's device: what a network needs there in memory, and a model of how long it takes.

`graph` lists the operations of the inference graph of a network, `memory` counts bytes on it, `latency` predicts times
from it, and `model` is the file of a device, `zen-target/1`. Measuring is in the room `profiling`. No torch here.
"""
