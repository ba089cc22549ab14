"""ONNX files that are foreign, damaged or forged are refused by name."""

import base64
import io
import json
import sys
import zipfile

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.export import _check, export_onnx, load_onnx
from skser.export import _file as files
from skser.feature_extraction import (
    MFCC,
    Functionals,
    MelSpectrogram,
    Spectrogram,
    SpeechEmbedding,
)
from skser.neural_network import AttentionRNNClassifier
from skser.persistence import SavedModelError, dumps
from tests.support.checkpoints import save_speech_checkpoint

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

X = np.random.RandomState(0).randn(20, 5)


def export_fitted(path):
    network = AttentionRNNClassifier(n_hidden=2, max_epochs=4, device="cpu", random_state=0)
    export_onnx(network.fit(X, np.where(X[:, 0] > 0, "angry", "calm")), path)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    export_fitted(path)
    return path.read_bytes()


@pytest.fixture
def refused(tmp_path):
    """Write bytes to a file and return why it is refused."""

    def load(content):
        path = tmp_path / "given.onnx"
        path.write_bytes(content)
        with pytest.raises(SavedModelError) as info:
            load_onnx(path)
        message = str(info.value)
        assert message.startswith(str(path))
        assert "\n" not in message
        return message

    return load


@pytest.fixture
def forged(original, refused):
    """Change a whole model, make its digest right, and return why it is refused."""

    def load(change):
        model = onnx.load_from_string(original)
        del model.metadata_props[-1]
        change(model)
        content = model.SerializeToString()
        return refused(content + files.seal(content))

    return load


def described(change):
    """A change of the description alone."""

    def apply(model):
        entry = model.metadata_props[0]
        content = json.loads(entry.value)
        change(content)
        entry.value = json.dumps(content)

    return apply


def outside(transformer, cls=None, **parameters):
    """A change that puts a transformer with forged parameters before the operators."""
    with zipfile.ZipFile(io.BytesIO(dumps(make_pipeline(transformer)))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members["schema.json"])
    step = schema["content"]["content"]["steps"]["content"][0]["content"][1]
    step.update(cls or {})
    if "transformer" in step["content"]["content"]:
        step = step["content"]["content"]["transformer"]
    plain = {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "is_json": True,
    }
    for name, value in parameters.items():
        step["content"]["content"][name] = plain | {"content": json.dumps(value), "is_json": True}
    members["schema.json"] = json.dumps(schema).encode()
    info = json.loads(members["skser.json"])
    if not parameters and cls is None:
        info["features"][0]["of_test_signal"] = None
    members["skser.json"] = json.dumps(info).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return archived(buffer.getvalue())


def archived(content):
    """A change that stores an archive of steps."""
    text = base64.b64encode(content).decode()
    return lambda description: description["inputs"][0].update(archive=text)


def of_input(**fields):
    """A change of fields of the only input."""
    return lambda description: description["inputs"][0].update(fields)


def test_any_flipped_bit_is_noticed(original, refused):
    for place in range(0, len(original), max(1, len(original) // 300)):
        content = bytearray(original)
        content[place] ^= 1 << place % 8
        assert "has changed" in (reason := refused(bytes(content))) or "is not a model" in reason


def test_files_cut_short_or_longer_are_refused(original, refused):
    for n in (0, 1, 50, len(original) // 2, len(original) - 1):
        assert "is not a model that skser.export_onnx has written" in refused(original[:n])
    assert "is not a model" in refused(original + b"\0")
    assert "has changed" in refused(original[1:])


def test_onnx_files_of_others_are_refused(refused):
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "other", [value], [value])
    assert "use onnxruntime itself" in refused(onnx.helper.make_model(graph).SerializeToString())


def test_an_included_model_without_an_onnx_file_is_named():
    with pytest.raises(ValueError, match="'emodb-functionals' has no ONNX file; use skser"):
        load_onnx("emodb-functionals")


def test_an_unsealed_file_is_a_model_of_any_runtime(original):
    onnx.checker.check_model(onnx.load_from_string(original), full_check=True)


def test_what_cannot_be_read_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing.onnx"):
        load_onnx(tmp_path / "missing.onnx")
    with pytest.raises(OSError, match=str(tmp_path)):
        load_onnx(tmp_path)


def test_huge_files_are_refused_unread(original, refused, monkeypatch, tmp_path):
    monkeypatch.setattr(files, "MOST_BYTES", 1000)
    assert "larger than 1000 bytes" in refused(original)
    with pytest.raises(ValueError, match="at most 1000 are written"):
        files.write_sealed(original, tmp_path / "new.onnx")
    assert not (tmp_path / "new.onnx").exists()


def test_a_file_that_would_be_refused_is_not_written(monkeypatch, tmp_path):
    monkeypatch.setattr(_check, "_MOST_NODES", 3)
    with pytest.raises(ValueError, match=r"load_onnx would refuse .*m.onnx: it has \d+ operators"):
        export_fitted(tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_data_outside_the_file_is_refused(forged):
    def outside(model):
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="/etc/passwd")

    assert "a tensor in it has data outside the file" in forged(outside)


@pytest.fixture(scope="module")
def shared_weights(tmp_path_factory):
    """A model of an encoder, whose weights lie in a file below it."""
    folder = tmp_path_factory.mktemp("shared")
    checkpoint = save_speech_checkpoint("whisper", folder / "encoder")
    embedding = SpeechEmbedding(checkpoint, layers=1, input_sampling_rate=16000, device="cpu")
    model = make_pipeline(embedding, StandardScaler(), LogisticRegression(C=0.1))
    audio = list(np.random.RandomState(0).randn(8, 4000).astype(np.float32) / 9)
    model.fit(audio, np.arange(8) % 2)
    path = folder / "model.onnx"
    export_onnx(model, path, weights=[checkpoint / "model.safetensors"])
    return path, model, audio


def test_weights_may_lie_in_a_file_that_models_share(shared_weights, tmp_path):
    path, model, audio = shared_weights
    export_onnx(model, tmp_path / "whole.onnx")
    assert path.stat().st_size < (tmp_path / "whole.onnx").stat().st_size - 60_000
    probabilities = load_onnx(path).predict_proba(audio)
    assert np.abs(probabilities - model.predict_proba(audio)).max() < 1e-4
    assert np.array_equal(probabilities, load_onnx(tmp_path / "whole.onnx").predict_proba(audio))
    onnx.checker.check_model(str(path), full_check=True)
    session = onnxruntime.InferenceSession(path)  # as any other runtime
    given = {"waveform": audio[0][None], "lengths": np.array([4000])}
    assert np.abs(session.run(None, given)[0] - probabilities[0]).max() < 1e-4


def test_other_weights_than_those_of_the_model_are_refused(shared_weights, tmp_path):
    path, model, _ = shared_weights
    with pytest.raises(ValueError, match=r"weights=.*model.safetensors must lie in"):
        export_onnx(model, tmp_path / "m.onnx", weights=[path.parent / "encoder/model.safetensors"])
    other = save_speech_checkpoint("whisper", tmp_path / "other", seed=1) / "model.safetensors"
    with pytest.raises(ValueError, match=r"another encoder.conv1.weight than .*model.safetensors"):
        export_onnx(model, tmp_path / "m.onnx", weights=[other])
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ValueError, match="text is not a file of safetensors"):
        export_onnx(model, tmp_path / "m.onnx", weights=[tmp_path / "text"])
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda w: w.update(location="../secret"), "data outside the file"),
        (lambda w: w.update(sha256="0" * 64), "are not those that it was made with"),
        (lambda w: w.pop("location"), "data outside the file"),
    ],
)
def test_forged_references_to_weights_are_refused(change, reason, shared_weights, tmp_path):
    path = shared_weights[0]
    model = onnx.load_from_string(path.read_bytes())
    del model.metadata_props[-1]
    description = json.loads(model.metadata_props[0].value)
    change(description["weights"][0])
    model.metadata_props[0].value = json.dumps(description)
    assert reason in refusal(model, path.parent / "forged.onnx")


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("offset", "1000000000", "does not fit the data of its weights"),
        ("offset", "-8", "does not fit the data of its weights"),
        ("length", "8", "does not fit the data of its weights"),
        ("length", "x", "does not fit the data of its weights"),
        ("location", "/etc/passwd", "data outside the file"),
        ("location", "../model.safetensors", "data outside the file"),
    ],
)
def test_forged_places_of_weights_are_refused(key, value, reason, shared_weights):
    path = shared_weights[0]
    model = onnx.load_from_string(path.read_bytes())
    del model.metadata_props[-1]
    tensor = next(tensor for tensor in model.graph.initializer if tensor.external_data)
    next(entry for entry in tensor.external_data if entry.key == key).value = value
    assert reason in refusal(model, path.parent / "forged.onnx")


@pytest.mark.parametrize("location", ["../x", "/etc/passwd", "a/../../x", "C:\\x", ""])
def test_weights_must_lie_below_their_model(location, shared_weights):
    path = shared_weights[0]
    model = onnx.load_from_string(path.read_bytes())
    del model.metadata_props[-1]
    description = json.loads(model.metadata_props[0].value)
    description["weights"][0]["location"] = location
    model.metadata_props[0].value = json.dumps(description)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    assert "which is not below it" in refusal(model, path.parent / "forged.onnx")


def test_weights_that_are_missing_or_no_file_are_named(shared_weights, tmp_path):
    copy = tmp_path / "model.onnx"
    copy.write_bytes(shared_weights[0].read_bytes())
    for make in (lambda path: None, lambda path: path.mkdir(parents=True)):
        make(tmp_path / "encoder" / "model.safetensors")
        with pytest.raises(SavedModelError, match=r"model.safetensors' is no file of weights"):
            load_onnx(copy)


def refusal(model, path):
    """Write a model with the right digest, and return why it is refused."""
    content = model.SerializeToString()
    path.write_bytes(content + files.seal(content))
    with pytest.raises(SavedModelError) as info:
        load_onnx(path)
    return str(info.value)


def test_loops_functions_and_foreign_operators_are_refused(forged):
    def loop(model):
        attribute = model.graph.node[0].attribute.add(name="body", type=onnx.AttributeProto.GRAPH)
        attribute.g.name = "repeated"

    def function(model):
        model.functions.add(name="f", domain="other")

    def foreign(model):
        model.graph.node[0].domain = "other"

    for change in (loop, function, foreign):
        assert "which export_onnx never writes" in forged(change)


def constant(model, array):
    """Add a constant to a graph and return its name."""
    name = f"forged_{len(model.graph.initializer)}"
    model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    return name


def insert(model, operator, inputs, **attributes):
    """Put an operator at the end of a graph; the last one takes the place of its output."""
    node = onnx.helper.make_node(operator, inputs, ["forged"], **attributes)
    model.graph.node.insert(len(model.graph.node) - 1, node)


def test_operators_and_attributes_that_are_never_written_are_refused(forged):
    def unknown(model):
        model.graph.node[0].op_type = "Nonsense"

    def filled(model):
        size = constant(model, np.array([2**30]))
        insert(model, "ConstantOfShape", [size])

    def attribute(model):
        node = next(node for node in model.graph.node if node.op_type == "Softmax")
        node.attribute.append(onnx.helper.make_attribute("nonsense", 1))

    def wrong_type(model):
        node = next(node for node in model.graph.node if node.op_type == "Softmax")
        node.attribute[0].type = onnx.AttributeProto.FLOAT

    assert "has the operator 'Nonsense', which export_onnx never writes" in forged(unknown)
    assert "has the operator 'ConstantOfShape'" in forged(filled)
    assert "operator Softmax has the attributes ['nonsense']" in forged(attribute)
    assert "attribute 'axis' of an operator in it has a wrong type" in forged(wrong_type)


def test_shapes_are_checked_before_onnxruntime_sees_them(forged):
    def long_range(model):
        names = [constant(model, np.int64(n)) for n in (0, 2**30, 1)]
        insert(model, "Range", names)

    def steps(model):
        names = [constant(model, np.int64(n)) for n in (0, 10, 2)]
        insert(model, "Range", names)

    def wide(model):
        insert(model, "Expand", ["vectors", constant(model, np.array([2**26, 1, 5]))])

    def outer(model):
        column = constant(model, np.zeros((20_000, 1), np.float32))
        row = constant(model, np.zeros((1, 20_000), np.float32))
        insert(model, "Add", [column, row])

    def doubled(model):
        name = "vectors"
        for i in range(40):
            node = onnx.helper.make_node("Concat", [name, name], [f"doubled_{i}"], axis=1)
            model.graph.node.insert(0 if i == 0 else i, node)
            name = f"doubled_{i}"

    def between_utterances(model):
        insert(model, "Add", ["vectors", "turned"])
        node = onnx.helper.make_node("Unsqueeze", ["vectors", constant(model, np.array([1]))],
                                     ["turned"])  # fmt: skip
        model.graph.node.insert(0, node)

    def padded(model):
        margins = constant(model, np.array([0, 2**27, 0, 0]))
        insert(model, "Pad", ["vectors", margins])

    for change in (long_range, wide, outer, doubled, padded, between_utterances):
        assert "gives values of shape" in forged(change)
    assert "a range in it is not that of an axis" in forged(steps)


@pytest.mark.parametrize("operator", ["Div", "Mod"])
@pytest.mark.parametrize("divisor", [0, -1, "computed"])
def test_integers_are_only_divided_by_positive_constants(forged, operator, divisor):
    # Version 1.20 of onnxruntime divides by zero, which ends the process.
    def change(model):
        lengths = onnx.helper.make_node("Shape", ["vectors"], ["lengths"], start=0, end=1)
        zero = onnx.helper.make_node("Sub", ["lengths", "lengths"], ["zero"])
        model.graph.node.insert(0, lengths)
        model.graph.node.insert(1, zero)
        numbers = constant(model, np.arange(20))
        by = "zero" if divisor == "computed" else constant(model, np.full(20, divisor))
        insert(model, operator, [numbers, by])

    assert "it divides by zero, or by a number that may be zero" in forged(change)


def test_a_divisor_that_depends_on_the_batch_is_refused(forged):
    def change(model):
        least = onnx.helper.make_node("ReduceMax", ["vectors"], ["least"], axes=[1])
        cast = onnx.helper.make_node("Cast", ["least"], ["divisor"], to=7)
        model.graph.node.insert(0, least)
        model.graph.node.insert(1, cast)
        insert(model, "Div", [constant(model, np.int64(7)), "divisor"])

    assert "it divides by zero, or by a number that may be zero" in forged(change)


@pytest.mark.parametrize(
    ("operator", "attributes"),
    [("Conv", {"strides": [1, 1]}), ("MaxPool", {"kernel_shape": [3]}), ("GRU", {"hidden_size": 3}),
     ("LRN", {"size": 2**40}), ("Transpose", {"perm": [0, 7]}), ("Concat", {"axis": 9}),
     ("MatMul", {}), ("Reshape", {}), ("Cast", {"to": 8})],
)  # fmt: skip
def test_operators_with_wrong_inputs_are_refused(forged, operator, attributes):
    def change(model):
        given = ["vectors", "vectors"] if operator in ("Conv", "Concat", "MatMul") else ["vectors"]
        insert(model, operator, given, **attributes)

    assert "is refused: " in forged(change)


def test_constants_must_fit_their_data(forged):
    def longer(model):
        model.graph.initializer[0].dims[:] = [2**40]

    def twice(model):
        model.graph.initializer.append(model.graph.initializer[0])

    assert "which does not fit its data" in forged(longer)
    assert "two constants of one name" in forged(twice)


def test_what_onnxruntime_refuses_is_refused(forged):
    def unordered(model):
        model.graph.output[0].name = "nothing"

    assert "is refused by onnxruntime" in forged(unordered)


def test_files_of_another_format_say_so(forged):
    def newer(description):
        description.update(format=9, skser="9.1")

    assert "another version of skser, '9.1'" in forged(described(newer))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.pop("classes"), "differs in the fields ['classes']"),
        (lambda d: d["inputs"][0].pop("form"), "differs in the fields ['form']"),
        (lambda d: d.update(inputs=["vectors"]), "differs in the fields ['archive', "),
        (lambda d: d.update(inputs=[]), "no known input"),
        (lambda d: d.update(inputs={}), "inputs={}"),
        (lambda d: d["inputs"].append(d["inputs"][0]), "names the inputs ['vectors', 'vectors']"),
        (of_input(n_columns="5"), "n_columns='5'"),
        (of_input(form="spectra"), "no known input, but 'spectra'"),
        (of_input(form="frames"), "names=['vectors']"),
        (of_input(names=["other"]), "not what it describes"),
        (of_input(names=[["vectors"]]), "names=[['vectors']]"),
        (of_input(n_columns=True), "n_columns=True"),
        (of_input(n_columns=6), "joins values of the shapes ((1, 1, 1, 6), (1, 1, 5))"),
        (
            lambda d: d["classes"].update(values=["a", "b", "c"]),
            "names 3 classes for outputs of [2]",
        ),
        (lambda d: d["classes"].update(dtype="S9999"), "labels"),
        (lambda d: d["classes"].update(values=[["a"], ["b"]]), "labels"),
        (archived(b"PK"), "not a complete archive"),
        (of_input(archive="*"), "refused: "),
        (archived(dumps(LogisticRegression())), "steps before its graph are not transformers"),
        (outside(MFCC(), {"__module__": "os", "__class__": "system"}), "holds os.system, which"),
        (outside(MFCC(), {"__class__": "SpeechEmbedding"}), "SpeechEmbedding, which load does not"),
        (outside(MFCC(), memory="features"), "MFCC.memory, which is never saved"),
        (outside(MFCC(), n_mels="x"), "'n_mels' parameter of MFCC must be an int"),
        (outside(Spectrogram(), window=1e9), "window=1000000000.0 is more than 131072 samples"),
        (outside(Spectrogram(), n_fft=2**30), "n_fft=1073741824 is more than 65536"),
        (outside(Spectrogram(), n_fft=2**16, hop=1 / 16000), "asks for more than"),
        (outside(MelSpectrogram(), fmin=9000.0), "fmin"),
        (outside(MelSpectrogram()), "features of MelSpectrogram are not those"),
        (outside(Functionals(MFCC()), n_mels=10**6), "n_mels=1000000 is more than"),
        (of_input(sampling_rate=-1.0), "has sampling_rate=-1.0"),
        (of_input(input_sampling_rate=float("nan")), "has input_sampling_rate=nan"),
        (of_input(longest=2**40), "has longest="),
        (of_input(n_columns=None), "has no n_columns"),
        (of_input(form="waveform"), "has no sampling_rate"),
        (of_input(missing=[{}]), "invalid step"),
        (lambda d: d["classes"].update(dtype="int64", values=[0, 2**70]), "OverflowError"),
        (lambda d: d.update(classes=None, targets={}), "invalid targets"),
    ],
)
def test_descriptions_are_checked(forged, change, reason):
    assert reason in forged(described(change))


def test_a_file_without_a_description_is_refused(forged):
    assert "description" in forged(lambda model: model.ClearField("metadata_props"))


def test_a_folder_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "nowhere" / "model.onnx"
    with pytest.raises(SavedModelError, match=r"model\.onnx cannot .* no folder .*nowhere"):
        export_fitted(path)


def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"needs the library 'onnx'.*skser\[onnx\]"):
        export_fitted(tmp_path / "model.onnx")
