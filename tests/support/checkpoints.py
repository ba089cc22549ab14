"""Small checkpoints with random weights for every type of encoder."""

_SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
}
_CONVOLUTIONS = {
    "conv_dim": (16, 16, 16),
    "conv_kernel": (10, 8, 4),
    "conv_stride": (5, 8, 8),
    "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}
_STABLE = {"do_stable_layer_norm": True, "feat_extract_norm": "layer"}
SPEECH = {
    "wav2vec2": ("Wav2Vec2", {}),
    "wav2vec2, stable": ("Wav2Vec2", _STABLE),
    "hubert": ("Hubert", {}),
    "hubert, stable": ("Hubert", _STABLE),
    "hubert, batch norm": ("Hubert", {"conv_pos_batch_norm": True}),
    "wavlm": ("WavLM", {}),
    "wavlm, stable": ("WavLM", _STABLE),
    "data2vec": ("Data2VecAudio", {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 5}),
    "whisper": ("Whisper", {}),
}


def save_speech_checkpoint(kind, folder, seed=0, **save):
    """Write a speech checkpoint of the given kind into a folder and return the folder."""
    import torch
    import transformers

    name, settings = SPEECH[kind]
    if name == "Whisper":
        config = transformers.WhisperConfig(
            d_model=32, encoder_layers=3, encoder_attention_heads=4, encoder_ffn_dim=48,
            decoder_layers=1, decoder_attention_heads=4, decoder_ffn_dim=48, vocab_size=60,
            max_source_positions=1500, pad_token_id=0, bos_token_id=1, eos_token_id=2,
            decoder_start_token_id=1,
        )  # fmt: skip
        preprocessor = transformers.WhisperFeatureExtractor()
    else:
        config = getattr(transformers, f"{name}Config")(**_SMALL | _CONVOLUTIONS | settings)
        preprocessor = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=False)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = getattr(transformers, f"{name}Model")(config)
    if "batch norm" in kind:
        torch.nn.init.constant_(model.encoder.pos_conv_embed.batch_norm.bias, 0.5)
    preprocessor.save_pretrained(folder)
    model.save_pretrained(folder, **save)
    return folder


WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "i", "am", "so", "happy", "sad", "today", "##ly"]


def save_text_checkpoint(folder, seed=0):
    """Write a small BERT with its vocabulary into a folder and return the folder."""
    import torch
    import transformers

    folder.mkdir(exist_ok=True)
    vocabulary = {word: i for i, word in enumerate(WORDS)}
    transformers.BertTokenizer(vocabulary).save_pretrained(folder)
    config = transformers.BertConfig(vocab_size=len(WORDS), max_position_embeddings=24, **_SMALL)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = transformers.BertModel(config)
    model.save_pretrained(folder)
    return folder
