"""The parts of a graph as units, each with every number resolved, before blocks are made of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import takewhile

from ..errors import TraceError
from ..net.classifier import Classifier
from ..net.layers import BN_EPS
from ..net.ops import Unit
from ..net.ops.details import Details, Gate, Pooling
from ..net.traced import Outline
from .endings import read_ending
from .graph import Graph, Window
from .padding import padding_of
from .parts import Addition, Layer, Part, layers_of, read_parts


def outline_of(graph: Graph, convs: Collection[int], *, folded: bool) -> Outline:
    """The units of a graph and its classifier, or the first thing that they cannot express.

    Args:
        graph: of one forward pass.
        convs: the nodes of the chain's convolutions.
        folded: whether normalisations may be part of the convolutions; one with a bias and no norm is taken for that.
    """
    try:
        end = read_ending(graph.nodes, graph.output, convs, folded=folded)
        parts = read_parts(graph.nodes, end.last, folded=folded)
        merged = folded and any(not layer.normed for part in parts for layer in layers_of(part))
        units = _units([_normal(part) for part in parts] if folded else parts)
        pool, eps, padding = _pooling(end.pool), _epsilon(graph), padding_of(graph)
    except TraceError as error:
        return Outline(fault=str(error))
    classifier = Classifier(end.num_classes, end.hidden, end.activation, end.bias, pool, end.parts)
    return Outline(tuple(units), classifier, eps, padding, merged)


def _epsilon(graph: Graph) -> float:
    """The epsilon of all batch normalisations, as a spec has one for all; files keep it in single precision."""
    found = {float(f"{node.eps:.6g}") for node in graph.nodes if node.eps}
    if len(found) > 1:
        raise TraceError(f"its batch normalisations have epsilons that differ: {', '.join(map(str, sorted(found)))}")
    return found.pop() if found else BN_EPS


def _normal(part: Part) -> Part:
    """A part whose convolutions have the norms that were folded into them."""
    if isinstance(part, Addition):
        body, shortcut = (tuple(map(_unfolded, layers)) for layers in (part.body, part.shortcut))
        return part._replace(body=body, shortcut=shortcut)
    return _unfolded(part)


def _unfolded(layer: Layer) -> Layer:
    return layer if layer.normed else layer._replace(normed=True, bias=False)


def _units(parts: Sequence[Part]) -> list[Unit]:
    units: list[Unit] = []
    rest = list(parts)
    while rest:
        part = rest[0]
        if isinstance(part, Addition):
            units.append(_residual(part))
            del rest[0]
            continue
        unit, count = _without_shortcut([layer for layer in takewhile(_is_layer, rest[:3]) if isinstance(layer, Layer)])
        units.append(unit)
        del rest[:count]
    return units


def _is_layer(part: Part) -> bool:
    return isinstance(part, Layer)


def _is_depthwise(layer: Layer) -> bool:
    return 1 < layer.conv.groups == layer.conv.in_width == layer.conv.out_width


def _is_pointwise(layer: Layer) -> bool:
    return layer.conv.kernel == (1, 1) and layer.conv.groups == 1


def _without_shortcut(run: Sequence[Layer]) -> tuple[Unit, int]:
    """The unit that layers in a row begin with, and how many of them are its own."""
    for op, count, is_it in _IN_A_ROW:
        layers = run[:count]
        if len(layers) == count and all(layer.pool is None for layer in layers[1:]) and is_it(layers):
            return _joined(op, layers, run[0].pool), count
    return _plain(run[0]), 1


def _is_separable(layers: Sequence[Layer]) -> bool:
    first, second = layers
    return _is_depthwise(first) and _is_pointwise(second) and _acts(layers)


def _is_inverted(layers: Sequence[Layer]) -> bool:
    first, second, third = layers
    return _is_pointwise(first) and _is_depthwise(second) and _is_pointwise(third) and _acts(layers)


def _is_fused(layers: Sequence[Layer]) -> bool:
    """A k x k convolution and a linear 1x1 one."""
    first, second = layers
    is_dense = first.conv.groups == 1 and first.conv.kernel != (1, 1)
    return is_dense and _is_pointwise(second) and not second.activation and _acts(layers)


def _is_grouped(layers: Sequence[Layer]) -> bool:
    """A k x k convolution of some groups between 1x1 ones, the last one linear."""
    first, second, third = layers
    is_between = _is_pointwise(first) and second.conv.groups > 1 and _is_pointwise(third)
    return is_between and not _is_depthwise(second) and not third.activation and _acts(layers)


_IN_A_ROW = (
    ("mbconv", 2, _is_separable),
    ("mbconv", 3, _is_inverted),
    ("fused", 2, _is_fused),
    ("bottleneck", 3, _is_grouped),
)


def _acts(layers: Sequence[Layer]) -> bool:
    """Whether the same activation follows all layers, or all but the last, and the last one has no gate."""
    first = layers[0].activation
    inner = all(layer.activation == first and layer.normed and not layer.bias for layer in layers[:-1])
    last = layers[-1]
    return bool(first) and inner and last.activation in ("", first) and last.normed and not last.squeeze


def _plain(layer: Layer) -> Unit:
    conv, pool = layer.conv, _pooling(layer.pool)
    details = Details(
        linear=not layer.activation,
        activation=layer.activation or "relu",
        gate=_gate(layer),
        pool=pool,
        bias=layer.bias,
        norm=layer.normed,
    )
    if layer.squeeze and not layer.activation:
        raise TraceError(f"the gate after {layer.label} comes before an activation")
    stride = _stride([layer], 0) * (1 if pool is None else pool.stride)
    squeeze = 0 if layer.squeeze is None else layer.squeeze.width
    widths = conv.in_width, conv.out_width, conv.out_width
    return Unit("conv", conv.kernel[0], stride, *widths, conv.groups, squeeze, False, _or_none(details))


def _residual(part: Addition) -> Unit:
    """The unit that an addition is."""
    body, shortcut = part.body, part.shortcut
    if not body:
        raise TraceError("it adds a map to itself")
    if len(shortcut) > 1 or any(layer.pool is not None for layer in body):
        raise TraceError(f"no block has a shortcut like the one around {_names(body)}")
    for layer in (*body, *shortcut):
        if not layer.normed or layer.bias:
            raise TraceError(f"{layer.label} has a bias or no normalisation, and is inside of a unit")
    if _is_parallel(part):
        return _parallel(part)
    if part.adds_norm:
        raise TraceError(f"no block adds a normalised map to the unit from {_names(body)}")
    kinds = tuple("1" if _is_pointwise(layer) else "d" if _is_depthwise(layer) else "k" for layer in body)
    op = _OPS.get("".join(kinds))
    if op == "basic" and (body[0].conv.kernel, body[0].conv.groups) != (body[1].conv.kernel, body[1].conv.groups):
        op = None
    if op is None or (op in ("mbconv", "fused") and any(x.conv.groups > 1 and not _is_depthwise(x) for x in body)):
        raise TraceError(f"the {len(body)} layers inside the shortcut from {_names(body)} are no unit of a block")
    return _joined(op, body, part.pool, part)


def _is_parallel(part: Addition) -> bool:
    """Whether a k x k and a 1x1 convolution are side by side, with the input where nothing changes."""
    if len(part.body) != 1 or len(part.shortcut) != 1:
        return False
    first, second = part.body[0], part.shortcut[0]
    plain = not any(layer.activation or layer.squeeze or layer.pool for layer in (first, second))
    is_beside = second.conv == first.conv._replace(kernel=(1, 1), padding=(0, 0)) and first.conv.kernel != (1, 1)
    keeps_shape = first.conv.in_width == first.conv.out_width and max(first.conv.stride) == 1
    return plain and is_beside and part.adds_norm == keeps_shape


def _parallel(part: Addition) -> Unit:
    """The unit of parallel convolutions that an addition is."""
    conv, pool = part.body[0].conv, _pooling(part.pool)
    details = Details(
        linear=not part.activation, activation=part.activation or "relu", pool=pool, adds_norm=part.adds_norm
    )
    stride = _stride(part.body, 0) * (1 if pool is None else pool.stride)
    widths = conv.in_width, conv.out_width, conv.out_width
    return Unit("repvgg", conv.kernel[0], stride, *widths, conv.groups, 0, True, _or_none(details))


_OPS = {"kk": "basic", "1k1": "bottleneck", "1d1": "mbconv", "d1": "mbconv", "k1": "fused", "k": "fused"}


def _joined(op: str, body: Sequence[Layer], before: Window | None, addition: Addition | None = None) -> Unit:
    """The unit of an op that has these convolutions, around which there may be a shortcut."""
    after = "" if addition is None else addition.activation
    last, pool = body[-1], _pooling(before)
    is_single = len(body) == 1
    activation = body[0].activation or after or "relu"
    inner = body[:-1] if not is_single or after else body
    if any(layer.activation != activation for layer in inner) or (after not in ("", activation)):
        raise TraceError(f"the layers of the unit from {_names(body)} have activations that differ")
    if addition is not None and last not in inner and last.activation:
        raise TraceError(f"an activation comes after {last.label}, before the addition")
    place = _gate_place(body)
    index = len(body) - 2 if op in ("bottleneck", "mbconv") else 0
    stride_in = op == "bottleneck" and max(body[0].conv.stride) > 1
    strided = _stride(body, 0 if stride_in else index)
    gated = None if place is None else body[place]
    gate = Gate() if gated is None else _gate(gated, "inner" if gated.activation else "end")
    if place is not None and place != (len(body) - 1 if gate.place == "end" else index):
        raise TraceError(f"the gate after {body[place].label} is at another place than in a block")
    projection = None if addition is None or not addition.shortcut else addition.shortcut[0]
    conv = body[0].conv if is_single else body[index].conv
    details = Details(
        has_shortcut=addition is not None,
        pools_shortcut=projection is not None and _pools(projection, strided),
        linear=not (after or (addition is None and last.activation)),
        activation=activation,
        skips_first=op in ("mbconv", "fused") and len(body) < (3 if op == "mbconv" else 2),
        gate=gate,
        pool=pool,
        stride_in=stride_in,
    )
    return Unit(
        op,
        conv.kernel[0],
        strided * (1 if pool is None else pool.stride),
        body[0].conv.in_width,
        conv.in_width if is_single else conv.out_width,
        last.conv.out_width,
        conv.groups,
        0 if gated is None or gated.squeeze is None else gated.squeeze.width,
        projection is not None,
        _or_none(details),
    )


def _stride(body: Sequence[Layer], index: int) -> int:
    """The stride of a unit, which is that of one of its convolutions."""
    for place, layer in enumerate(body):
        stride = layer.conv.stride
        if stride[0] != stride[1] or (stride[0] > 1 and place != index):
            raise TraceError(f"{layer.label} has stride {stride[0]} x {stride[1]}, which no block has there")
    return body[index].conv.stride[0]


def _pools(projection: Layer, stride: int) -> bool:
    """Whether a projection averages pairs of positions before it; else it has the stride itself."""
    conv, pool = projection.conv, projection.pool
    is_usual = _is_pointwise(projection) and not projection.activation and not projection.squeeze
    whole = conv.stride[0] if pool is None else conv.stride[0] * pool.stride[0]
    pools = pool is not None and pool.kind == "avg" and pool.kernel == (2, 2) and pool.padding == (0, 0)
    if not is_usual or whole != stride or not (pool is None or (pools and conv.stride == (1, 1))):
        raise TraceError(f"no block has a shortcut like {projection.label}")
    return pool is not None


def _gate_place(body: Sequence[Layer]) -> int | None:
    places = [index for index, layer in enumerate(body) if layer.squeeze is not None]
    if len(places) > 1:
        raise TraceError(f"the unit from {_names(body)} has {len(places)} gates")
    return places[0] if places else None


def _gate(layer: Layer, place: str = "inner") -> Gate:
    found = layer.squeeze
    if found is None:
        return Gate()
    return Gate(bias=found.bias, activation=found.activation, gate=found.gate, place=place)


def _pooling(window: Window | None) -> Pooling | None:
    if window is None:
        return None
    kernel, border = window.kernel[0], window.kernel[0] // 2 if window.kernel[0] % 2 else 0
    if window != (window.kind, (kernel, kernel), (window.stride[0],) * 2, (border, border)):
        raise TraceError(f"no block has a pooling with a window of {window.kernel} and a stride of {window.stride}")
    return Pooling(window.kind, kernel, window.stride[0], border)


def _or_none(details: Details) -> Details | None:
    return None if details == Details() else details


def _names(body: Sequence[Layer]) -> str:
    return f"{body[0].label} to {body[-1].label}"
