# quick
"""The Python API: describe a network, count it, score it, change it, build it."""

from zen_cli import build, cost, parse_spec, score, to_plainnet

spec = parse_spec(
    {
        "name": "small",
        "resolution": 32,
        "num_classes": 10,
        "blocks": [
            {"op": "conv", "width": 32},
            {"op": "bottleneck", "width": 64, "mid_width": 16, "depth": 4, "stride": 2},
            {"op": "mbconv", "width": 96, "expansion": 4, "depth": 4, "stride": 2},
            {"op": "conv", "kernel": 1, "width": 256},
        ],
    }
)
print(spec.id, cost(spec))
print(to_plainnet(spec))

closed = score(spec, estimator="mean-field")  # no torch, a fraction of a millisecond
print(f"mean-field:  {closed.zen.value:.2f} nats")

drawn = score(spec, draws=4, batch_size=8)  # random networks, with an error bar
print(f"monte-carlo: {drawn.zen.value:.2f} ± {drawn.zen.std_error:.2f} nats")

larger = spec.replace(resolution=64)
print(f"at 64 x 64:  {score(larger, estimator='mean-field').zen.value:.2f} nats, {cost(larger).macs:,} MACs")

network = build(spec)  # a plain torch.nn.Module in its training form
print(f"{sum(weights.numel() for weights in network.parameters()):,} parameters built")
