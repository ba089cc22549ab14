"""Networks as ONNX operators, on a padded batch of frames."""

from dataclasses import replace

import numpy as np

from skser.export._features import Frames


def network_scores(network, x):
    """Append the operators of a fitted network up to its last layer.

    Parameters
    ----------
    network : NeuralEstimator
    x : Frames, or Value of shape (batch, n_columns)

    Returns
    -------
    Value
        Scores of the classes before the softmax, or standardized targets (batch, n_outputs).
    """
    return _module(network.net_.module_, _input(network, x))


def n_columns_of(network):
    """Return the number of columns of the frames that a network takes."""
    columns = getattr(network, "_n_columns", None)  # not if a transformer is inside of it
    return columns or network.net_.module_.audio.center.numel()


def _input(network, x):
    """Return frames with the channels that a network takes."""
    from skser.neural_network.modules.attention_rnn import AttentionRNN
    from skser.neural_network.modules.fcn import AttentionFCN

    if not isinstance(x, Frames):
        is_one_frame = getattr(network, "_takes_vectors", False)
        n_frames = 1 if is_one_frame else network.n_features_in_  # of one column
        lengths = x.graph.add("Expand", np.array([n_frames]), x.length(0))
        x = x.reshape(0, 1, n_frames, -1)
        return Frames(x, lengths, x.inside(2, lengths), 1, network.n_features_in_ // n_frames)
    module, n_channels = network.net_.module_, x.n_channels
    if isinstance(module, AttentionRNN):
        n_channels = module.audio.center.shape[0]
    elif isinstance(module, AttentionFCN):
        n_channels = module.blocks[0].convolution.in_channels
    return x.split(n_channels)


def _module(module, x):
    from skser.neural_network.modules.adversarial_ae import AdversarialAE
    from skser.neural_network.modules.attention_rnn import AttentionRNN
    from skser.neural_network.modules.fcn import AttentionFCN

    if isinstance(module, AttentionFCN):
        return linear(module.output, _convolved(module, x))
    if isinstance(module, AttentionRNN):
        return linear(module.output, _recurrent(module.audio, x))
    if isinstance(module, AdversarialAE):
        latent = linear(module.emotion, _encoded(module.encoder, x))
        is_output = not list(module.output.children()) and not hasattr(module.output, "weight")
        return latent if is_output else linear(module.output, latent)
    raise TypeError(f"No ONNX operators are known for {type(module).__name__}.")


def array_of(tensor):
    """Return a tensor as an array of float64."""
    return tensor.detach().cpu().double().numpy()


def linear(layer, x):
    """Append a linear layer."""
    return x @ array_of(layer.weight).T + array_of(layer.bias)


def _scale_of(norm):
    return array_of(norm.weight) / np.sqrt(array_of(norm.running_var) + norm.eps)


# Convolutions -------------------------------------------------------------------------


def _convolved(module, given):
    """Append the convolution blocks of a module, and its attention pooling over all cells."""
    x, lengths, inside = given.x * _mask(given.inside), given.lengths, given.inside
    for block in module.blocks:
        x, lengths, inside = _block(block, x, lengths, inside)
    return _pooled_cells(module.pooling, x, inside)


def _block(block, x, lengths, inside):
    """Append a `ConvolutionBlock`, with batch normalization folded into the convolution."""
    convolution, norm = block.convolution, block.batch_norm
    weight = array_of(convolution.weight)
    bias = np.zeros(len(weight)) if convolution.bias is None else array_of(convolution.bias)
    if norm is not None:
        scale = _scale_of(norm)
        weight = weight * scale[:, None, None, None]
        bias = (bias - array_of(norm.running_mean)) * scale + array_of(norm.bias)
    (kernel, stride), *pooling = block.steps
    x = x.then("Conv", weight, bias, strides=list(stride), pads=_margins(kernel)).then("Relu")
    x, lengths, inside = _blanked(x, lengths, inside, kernel, stride)
    if block.local_response is not None:
        given = block.local_response
        settings = {"alpha": float(given.alpha), "beta": float(given.beta), "bias": float(given.k)}
        x = x.then("LRN", size=given.size, **settings)
    for kernel, stride in pooling:
        window = {"kernel_shape": list(kernel), "strides": list(stride), "pads": _margins(kernel)}
        x = x.then("MaxPool", **window)
        x, lengths, inside = _blanked(x, lengths, inside, kernel, stride)
    return x, lengths, inside


def _margins(kernel):
    return [k // 2 for k in kernel] * 2


def _blanked(x, lengths, inside, kernel, stride):
    """Set the outputs of a layer after each utterance to zero; return the new lengths and mask."""
    if kernel[0] % 2 == 0 or stride[0] > 1:  # otherwise all utterances are as long as before
        margin = np.int64(2 * (kernel[0] // 2) - kernel[0])
        lengths = (lengths + margin) // np.int64(stride[0]) + np.int64(1)
        inside = x.inside(2, lengths)
    return x * _mask(inside), lengths, inside


def _mask(inside):
    return inside.as_float().unsqueeze(1, 3)


# Attention pooling --------------------------------------------------------------------


def _pooled_cells(pooling, x, inside):
    """Append attention pooling over all cells of ``x`` (batch, features, time, bands)."""
    cells = x.transpose(0, 2, 3, 1)
    scores = x.graph.add("Where", inside.unsqueeze(2, 3), _scores(pooling, cells), -np.inf)
    weights = _softmax_over_positions(scores.reshape(0, -1, pooling.n_heads))
    return _flattened(pooling, weights @ cells.reshape(0, -1, pooling.projection.in_features))


def _weights(pooling, frames, inside):
    """Return attention weights (batch, heads, time) of frames (batch, time, features)."""
    scores = frames.graph.add("Where", inside.unsqueeze(2), _scores(pooling, frames), -np.inf)
    return _softmax_over_positions(scores)


def _scores(pooling, annotations):
    """Return scores (..., heads) of annotations (..., features)."""
    context = array_of(pooling.context)
    # One product for all heads, with zeros where a head does not look.
    n_heads, n_hidden = context.shape
    looks = np.zeros((n_heads, n_hidden, n_heads))
    looks[np.arange(n_heads), :, np.arange(n_heads)] = context
    looks *= pooling.attention_scale
    return linear(pooling.projection, annotations).then("Tanh") @ looks.reshape(-1, n_heads)


def _softmax_over_positions(scores):
    return scores.transpose(0, 2, 1).then("Softmax", axis=2)


def _flattened(pooling, x, n_statistics=1):
    return x.reshape(0, n_statistics * pooling.n_heads * pooling.projection.in_features)


# Recurrent encoder --------------------------------------------------------------------


def _recurrent(encoder, given):
    """Append a `RecurrentEncoder` and return its pooled vectors."""
    pooling, x, inside = encoder.pooling, given.x, given.inside
    if encoder.recurrent is not None:
        x = (x - array_of(encoder.center)) / array_of(encoder.scale)
    if encoder.layer_scores is not None:
        frames = (x * array_of(encoder.layer_weights())[:, None, None]).sum(1, keepdims=0)
    else:
        frames = x.transpose(0, 2, 1, 3).reshape(0, 0, encoder.n_inputs)
    if encoder.recurrent is None:
        normalized = frames.then("LayerNormalization", np.ones(pooling.projection.in_features))
        pooled = _flattened(pooling, _weights(pooling, normalized, inside) @ frames)
        norm = encoder.norm
        return (pooled - array_of(norm.running_mean)) * _scale_of(norm) + array_of(norm.bias)
    frames = frames.transpose(1, 0, 2)
    for i in range(encoder.recurrent.num_layers):
        frames = _recurrent_layer(encoder.recurrent, i, frames, given.lengths)
    frames = frames.transpose(1, 0, 2)
    weights = _weights(pooling, frames, inside)
    mean = weights @ frames
    variance = weights @ (frames * frames) - mean * mean
    deviation = variance.then("Max", 1e-6).then("Sqrt")
    return _flattened(pooling, mean.then("Concat", deviation, axis=1), n_statistics=2)


def _recurrent_layer(layers, i, frames, lengths):
    """Append both directions of layer `i`, over frames (time, batch, n_inputs)."""
    # torch has the gates in the order r, z, n or i, f, g, o; ONNX in z, r, n or i, o, f, g.
    operator, gates = {"GRU": ("GRU", (1, 0, 2)), "LSTM": ("LSTM", (0, 3, 1, 2))}[layers.mode]

    def ordered(kind):
        both = [array_of(getattr(layers, f"{kind}_l{i}{end}")) for end in ("", "_reverse")]
        parts = np.split(np.stack(both), len(gates), axis=1)
        return np.concatenate([parts[gate] for gate in gates], axis=1)

    bias = np.concatenate([ordered("bias_ih"), ordered("bias_hh")], axis=1)
    weights = ordered("weight_ih"), ordered("weight_hh"), bias
    settings = {"direction": "bidirectional", "hidden_size": layers.hidden_size}
    if operator == "GRU":
        settings["linear_before_reset"] = 1
    outputs = frames.then(operator, *weights, lengths.then("Cast", to=6), **settings)
    # (time, direction, batch, n_hidden)
    return outputs.transpose(0, 2, 1, 3).reshape(0, 0, 2 * layers.hidden_size)


# Adversarial autoencoder --------------------------------------------------------------


def _encoded(encoder, given):
    """Append a `VectorEncoder` or `FrameEncoder` and return its vectors."""
    x = given.x
    if hasattr(encoder, "layers"):
        x = x.reshape(0, encoder.n_reconstructed)
        for layer, norm, _ in encoder.layers:
            scale = array_of(norm.weight), array_of(norm.bias)
            x = linear(layer, x).then("LayerNormalization", *scale, epsilon=norm.eps).then("Relu")
        return x
    n_columns = encoder.blocks[0].convolution.in_channels
    x = x.transpose(0, 2, 1, 3).reshape(0, 0, n_columns).transpose(0, 2, 1).unsqueeze(3)
    return _convolved(encoder, replace(given, x=x))
