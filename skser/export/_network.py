"""Networks as ONNX operators, on a padded batch of frames."""

import numpy as np


def add_network(graph, module, x, lengths):
    """Append the operators of a network in prediction.

    Parameters
    ----------
    graph : Graph
    module : AttentionFCN, AttentionRNN of one modality, or AdversarialAE
    x : str
        Value (batch, channels, time, bands), zero after each utterance.
    lengths : str
        Value (batch,), int64: number of frames of each utterance, at least 1.

    Returns
    -------
    str
        Value (batch, n_outputs).
    """
    from skser.neural_network.modules.adversarial_ae import AdversarialAE
    from skser.neural_network.modules.attention_rnn import AttentionRNN
    from skser.neural_network.modules.fcn import AttentionFCN

    if isinstance(module, AttentionFCN):
        for block in module.blocks:
            x, lengths = _block(graph, block, x, lengths)
        return _linear(graph, module.output, _pooled_cells(graph, module.pooling, x, lengths))
    if isinstance(module, AttentionRNN):
        return _linear(graph, module.output, _recurrent(graph, module.audio, x, lengths))
    if isinstance(module, AdversarialAE):
        latent = _linear(graph, module.emotion, _encoded(graph, module.encoder, x, lengths))
        is_output = not list(module.output.children()) and not hasattr(module.output, "weight")
        return latent if is_output else _linear(graph, module.output, latent)
    raise TypeError(f"No ONNX operators are known for {type(module).__name__}.")


def _array(tensor):
    return tensor.detach().cpu().double().numpy()


def _linear(graph, layer, x):
    product = graph.add("MatMul", x, _array(layer.weight).T)
    return graph.add("Add", product, _array(layer.bias))


# Convolutions -------------------------------------------------------------------------


def _block(graph, block, x, lengths):
    """Append a `ConvolutionBlock`, with batch normalization folded into the convolution."""
    convolution, norm = block.convolution, block.batch_norm
    weight = _array(convolution.weight)
    bias = np.zeros(len(weight)) if convolution.bias is None else _array(convolution.bias)
    if norm is not None:
        scale = _array(norm.weight) / np.sqrt(_array(norm.running_var) + norm.eps)
        weight = weight * scale[:, None, None, None]
        bias = (bias - _array(norm.running_mean)) * scale + _array(norm.bias)
    (kernel, stride), *pooling = block.steps
    x = graph.add("Conv", x, weight, bias, strides=list(stride), pads=_margins(kernel))
    x, lengths = _blanked(graph, graph.add("Relu", x), lengths, kernel, stride)
    if block.local_response is not None:
        settings = block.local_response
        x = graph.add(
            "LRN",
            x,
            size=settings.size,
            alpha=float(settings.alpha),
            beta=float(settings.beta),
            bias=float(settings.k),
        )
    for kernel, stride in pooling:
        x = graph.add(
            "MaxPool",
            x,
            kernel_shape=list(kernel),
            strides=list(stride),
            pads=_margins(kernel),
        )
        x, lengths = _blanked(graph, x, lengths, kernel, stride)
    return x, lengths


def _margins(kernel):
    return [k // 2 for k in kernel] * 2


def _blanked(graph, x, lengths, kernel, stride):
    """Set the outputs of a layer after each utterance to zero; return them and the new lengths."""
    margin = np.int64(2 * (kernel[0] // 2) - kernel[0])
    steps = graph.add("Div", graph.add("Add", lengths, margin), np.int64(stride[0]))
    lengths = graph.add("Add", steps, np.int64(1))
    return blank(graph, x, lengths), lengths


def blank(graph, x, lengths):
    """Set ``x`` (batch, channels, time, bands) to zero after each utterance."""
    inside = graph.add("Cast", graph.inside(x, 2, lengths), to=1)
    return graph.add("Mul", x, graph.add("Unsqueeze", inside, np.array([1, 3])))


# Attention pooling --------------------------------------------------------------------


def _pooled_cells(graph, pooling, x, lengths):
    """Append attention pooling over all cells of ``x`` (batch, features, time, bands)."""
    cells = graph.add("Transpose", x, perm=[0, 2, 3, 1])
    inside = graph.add("Unsqueeze", graph.inside(cells, 1, lengths), np.array([2, 3]))
    scores = graph.add("Where", inside, _scores(graph, pooling, cells), -np.inf)
    n_features = pooling.projection.in_features
    weights = _softmax_over_positions(graph, graph.reshape(scores, 0, -1, pooling.n_heads))
    pooled = graph.add("MatMul", weights, graph.reshape(cells, 0, -1, n_features))
    return graph.reshape(pooled, 0, pooling.n_heads * n_features)


def _weights(graph, pooling, frames, lengths):
    """Return attention weights (batch, heads, time) of frames (batch, time, features)."""
    inside = graph.add("Unsqueeze", graph.inside(frames, 1, lengths), np.array([2]))
    scores = graph.add("Where", inside, _scores(graph, pooling, frames), -np.inf)
    return _softmax_over_positions(graph, scores)


def _scores(graph, pooling, annotations):
    """Return scores (..., heads) of annotations (..., features)."""
    projection, context = pooling.projection, _array(pooling.context)
    product = graph.add("MatMul", annotations, _array(projection.weight).T)
    hidden = graph.add("Tanh", graph.add("Add", product, _array(projection.bias)))
    # One product for all heads, with zeros where a head does not look.
    n_heads, n_hidden = context.shape
    looks = np.zeros((n_heads, n_hidden, n_heads))
    looks[np.arange(n_heads), :, np.arange(n_heads)] = context
    looks *= pooling.attention_scale
    return graph.add("MatMul", hidden, looks.reshape(-1, n_heads))


def _softmax_over_positions(graph, scores):
    return graph.add("Softmax", graph.add("Transpose", scores, perm=[0, 2, 1]), axis=2)


# Recurrent encoder --------------------------------------------------------------------


def _recurrent(graph, encoder, x, lengths):
    """Append a `RecurrentEncoder` and return its pooled vectors."""
    if encoder.recurrent is not None:
        center, scale = _array(encoder.center), _array(encoder.scale)
        x = graph.add("Div", graph.add("Sub", x, center), scale)
    if encoder.layer_scores is not None:
        shares = _array(encoder.layer_weights())
        x = graph.add("Mul", x, shares[:, None, None])
        frames = graph.add("ReduceSum", x, np.array([1]), keepdims=0)
    else:
        frames = _channels_as_columns(graph, x, encoder.n_inputs)
    if encoder.recurrent is None:
        frames = _pooled_frames(graph, encoder.pooling, frames, lengths)
        norm = encoder.norm
        scale = _array(norm.weight) / np.sqrt(_array(norm.running_var) + norm.eps)
        centred = graph.add("Sub", frames, _array(norm.running_mean))
        return graph.add("Add", graph.add("Mul", centred, scale), _array(norm.bias))
    frames = graph.add("Transpose", frames, perm=[1, 0, 2])
    sequence_lengths = graph.add("Cast", lengths, to=6)
    for i in range(encoder.recurrent.num_layers):
        frames = _recurrent_layer(graph, encoder.recurrent, i, frames, sequence_lengths)
    frames = graph.add("Transpose", frames, perm=[1, 0, 2])
    return _statistics(graph, encoder.pooling, frames, lengths)


def _channels_as_columns(graph, x, n_columns):
    return graph.reshape(graph.add("Transpose", x, perm=[0, 2, 1, 3]), 0, 0, n_columns)


def _recurrent_layer(graph, layers, i, frames, lengths):
    """Append both directions of layer `i`, over frames (time, batch, n_inputs)."""
    # torch has the gates in the order r, z, n or i, f, g, o; ONNX in z, r, n or i, o, f, g.
    operator, gates = {"GRU": ("GRU", (1, 0, 2)), "LSTM": ("LSTM", (0, 3, 1, 2))}[layers.mode]

    def both(kind):
        return np.stack([_array(getattr(layers, f"{kind}_l{i}{d}")) for d in ("", "_reverse")])

    def ordered(weights):
        parts = np.split(weights, len(gates), axis=1)
        return np.concatenate([parts[gate] for gate in gates], axis=1)

    weights = [ordered(both(kind)) for kind in ("weight_ih", "weight_hh")]
    bias = np.concatenate([ordered(both(kind)) for kind in ("bias_ih", "bias_hh")], axis=1)
    reset = {"linear_before_reset": 1} if operator == "GRU" else {}
    outputs = graph.add(
        operator,
        frames,
        *weights,
        bias,
        lengths,
        direction="bidirectional",
        hidden_size=layers.hidden_size,
        **reset,
    )  # (time, direction, batch, n_hidden)
    outputs = graph.add("Transpose", outputs, perm=[0, 2, 1, 3])
    return graph.reshape(outputs, 0, 0, 2 * layers.hidden_size)


def _pooled_frames(graph, pooling, frames, lengths):
    """Return attentive means of frames that are not normalized, (batch, heads * features)."""
    n_features = pooling.projection.in_features
    normalised = graph.add("LayerNormalization", frames, np.ones(n_features))
    pooled = graph.add("MatMul", _weights(graph, pooling, normalised, lengths), frames)
    return graph.reshape(pooled, 0, pooling.n_heads * n_features)


def _statistics(graph, pooling, frames, lengths):
    """Return attentive means and standard deviations, (batch, 2 * heads * features)."""
    weights = _weights(graph, pooling, frames, lengths)
    mean = graph.add("MatMul", weights, frames)
    square = graph.add("MatMul", weights, graph.add("Mul", frames, frames))
    variance = graph.add("Sub", square, graph.add("Mul", mean, mean))
    deviation = graph.add("Sqrt", graph.add("Max", variance, 1e-6))
    n_features = pooling.projection.in_features
    both = graph.add("Concat", mean, deviation, axis=1)
    return graph.reshape(both, 0, 2 * pooling.n_heads * n_features)


# Adversarial autoencoder --------------------------------------------------------------


def _encoded(graph, encoder, x, lengths):
    """Append a `VectorEncoder` or `FrameEncoder` and return its vectors."""
    if hasattr(encoder, "layers"):
        x = graph.reshape(x, 0, encoder.n_reconstructed)
        for linear, norm, _ in encoder.layers:
            scale, bias = _array(norm.weight), _array(norm.bias)
            x = _linear(graph, linear, x)
            x = graph.add("LayerNormalization", x, scale, bias, epsilon=norm.eps)
            x = graph.add("Relu", x)
        return x
    n_columns = encoder.blocks[0].convolution.in_channels
    frames = _channels_as_columns(graph, x, n_columns)
    x = graph.add("Transpose", frames, perm=[0, 2, 1])
    x = graph.add("Unsqueeze", x, np.array([3]))
    for block in encoder.blocks:
        x, lengths = _block(graph, block, x, lengths)
    return _pooled_cells(graph, encoder.pooling, x, lengths)
