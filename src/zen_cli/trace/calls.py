"""What each function of PyTorch is in the graph: a table from its name to a rule. What is not in it is a fault.

Names come without leading and trailing underscores, so that `relu`, `relu_` and `Tensor.relu_` are one.
"""

from __future__ import annotations

from .convolutions import conv1d, conv2d, linear, product_of_matrices
from .recorder import Call, Record, tensors
from .rules import Rule, adaptive_pool, as_fault, as_kind, batch_norm, pad, pool, reduce, unknown


def record_call(record: Record, call: Call) -> None:
    """Puts the results of a call into a record."""
    values = [record.value(tensor) for tensor in tensors((call.args, call.kwargs))]
    if all(value.node is None for value in values):
        label = next((value.label for value in values if value.label), "")
        for result in tensors(call.result):
            record.put_constant(result, label, learned=any(value.learned for value in values))
        return
    RULES.get(call.name, unknown)(record, call)


def _table(rule: Rule, names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


RULES: dict[str, Rule] = {
    **_table(conv2d, "conv2d"),
    **_table(conv1d, "conv1d"),
    **_table(linear, "linear"),
    **_table(product_of_matrices, "matmul mm bmm rmatmul addmm baddbmm einsum"),
    **_table(
        as_fault("it has attention"),
        "scaled_dot_product_attention multi_head_attention_forward native_multi_head_attention "
        "transformer_encoder_layer_fwd",
    ),
    **_table(as_fault("it has transposed convolutions"), "conv_transpose1d conv_transpose2d conv_transpose3d"),
    **_table(as_fault("it has convolutions in three dimensions"), "conv3d"),
    **_table(as_fault("it has recurrent layers"), "lstm gru rnn_tanh rnn_relu lstm_cell gru_cell"),
    **_table(pool("max"), "max_pool2d max_pool2d_with_indices"),
    **_table(pool("avg"), "avg_pool2d"),
    **_table(pool("avg", at=2), "lp_pool2d"),
    **_table(adaptive_pool("max"), "adaptive_max_pool2d adaptive_max_pool2d_with_indices"),
    **_table(adaptive_pool("avg"), "adaptive_avg_pool2d"),
    **_table(
        reduce,
        "mean sum amax amin max min norm logsumexp nansum prod linalg_norm linalg_vector_norm "
        "vector_norm "
        "var var_mean std std_mean",
    ),
    **_table(pad, "pad"),
    **_table(batch_norm, "batch_norm"),
    **_table(as_kind("norm"), "layer_norm group_norm instance_norm rms_norm local_response_norm normalize"),
    **_table(as_kind("gate"), "sigmoid hardsigmoid softmax tanh softmin gumbel_softmax log_softmax gt lt ge le eq ne"),
    **_table(as_kind("sum"), "add sub rsub radd iadd isub subtract maximum minimum where stack lerp setitem addcmul"),
    **_table(as_kind("product"), "mul imul rmul multiply div idiv rdiv truediv rtruediv itruediv"),
    **_table(as_kind("concat"), "cat concat concatenate hstack"),
    **_table(
        as_kind("same"),
        "relu relu6 leaky_relu prelu rrelu elu selu celu gelu silu mish hardswish hardtanh softplus softsign threshold "
        "logsigmoid hardshrink softshrink tanhshrink clamp clamp_min clamp_max clip dropout dropout2d alpha_dropout "
        "feature_dropout feature_alpha_dropout contiguous clone to type type_as float half double bfloat16 detach "
        "requires_grad view view_as reshape reshape_as flatten unflatten permute transpose swapaxes swapdims movedim "
        "moveaxis squeeze unsqueeze expand expand_as repeat repeat_interleave tile get getitem narrow select chunk "
        "split split_with_sizes tensor_split unbind index_select gather roll flip rot90 channel_shuffle "
        "native_channel_shuffle pixel_shuffle pixel_unshuffle interpolate upsample upsample_nearest "
        "upsample_bilinear neg abs exp log log1p pow rpow square sqrt rsqrt reciprocal sin cos round floor ceil erf "
        "sign nan_to_num ones_like zeros_like empty_like full_like new_zeros new_ones new_empty t mT T "
        "fill zero copy identity cpu cuda unsafe_chunk unsafe_split scatter masked_fill as_subclass",
    ),
}
