"""Saved models that are damaged or forged are refused, by name, before anything is built."""

import copy
import io
import json
import os
import pickle
import resource
import time
import zipfile

import numpy as np
import pytest
from fuzz_models import members_of, packed
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVR

import skser
from skser.augmentation import Conditions
from skser.compose import AugmentedClassifier
from skser.feature_extraction import MelSpectrogram, SpeechEmbedding
from skser.neural_network import AttentionFCNClassifier, AttentionRNNClassifier
from skser.persistence import SavedModelError, read_info
from skser.preprocessing import SequenceScaler

pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)
SCHEMA, INFO = "schema.json", "skser.json"
X = np.random.RandomState(0).randn(30, 3)
Y = np.array(["a", "b", "c"])[np.arange(30) % 3]


@pytest.fixture(scope="module")
def archive(corpus, tmp_path_factory):
    """The bytes of a saved pipeline of features, scaler and network."""
    path = tmp_path_factory.mktemp("saved") / "model.skser"
    features = MelSpectrogram(n_mels=8, deltas=0, input_sampling_rate=16000)
    network = AttentionFCNClassifier(
        filters=(4, 4), strides=1, pool_sizes=1, max_epochs=1, device="cpu", random_state=0
    )
    model = make_pipeline(features, SequenceScaler(), network)
    skser.save(model.fit(corpus.data[:10], corpus.target[:10]), path)
    return path.read_bytes()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "my model.skser"


@pytest.fixture
def refused(path):
    """Write bytes to a file and return why it is refused; every reason names the file."""

    def why(content, **kwargs):
        path.write_bytes(content)
        with pytest.raises(SavedModelError) as caught:
            skser.load(path, **kwargs)
        assert os.fspath(path) in str(caught.value)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return why


@pytest.fixture
def saved(path):
    """Save a model and return the bytes."""

    def content(model):
        skser.save(model, path)
        return path.read_bytes()

    return content


def with_schema(content, change, **more):
    """Change the schema of an archive, and add members."""
    members = members_of(content)
    schema = json.loads(members[SCHEMA])
    schema = change(schema) or schema
    return packed({**members, SCHEMA: json.dumps(schema).encode(), **more})


def attributes(node, *places):
    """Attributes of an object, or of a step (by number) of a pipeline inside it."""
    for number in places:
        node = node["content"]["content"]["steps"]["content"][number]["content"][1]
    return node["content"]["content"]


def put(node, name, value):
    """Set an attribute of an object to a node."""
    if name not in node["content"]["content"]:
        node["content"]["key_types"]["content"].append(
            {"__class__": "str", "__module__": "builtins", "__loader__": "TypeNode"}
        )
    node["content"]["content"][name] = value


def step(schema, number):
    return schema["content"]["content"]["steps"]["content"][number]["content"][1]


def as_json(value):
    return {
        "__class__": "str", "__module__": "builtins", "__loader__": "JsonNode",
        "content": json.dumps(value),
    }  # fmt: skip


def as_list(items, kind="list"):
    loader = {"list": "ListNode", "tuple": "TupleNode"}[kind]
    return {
        "__class__": kind, "__module__": "builtins", "__loader__": loader, "content": items,
    }  # fmt: skip


def as_array(file):
    return {
        "__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode",
        "type": "numpy", "file": file,
    }  # fmt: skip


def as_npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


# Damage -------------------------------------------------------------------------------


def test_damage_is_refused(archive, refused):
    assert "not a complete archive" in refused(b"")
    assert "not a complete archive" in refused(b"not a model")
    assert "not a complete archive" in refused(archive[: len(archive) // 2])
    assert "no member 'skser.json'" in refused(packed({SCHEMA: b"{}"}))
    flipped = bytearray(archive)
    flipped[archive.index(b"AttentionFCNClassifier", archive.index(b"schema.json"))] ^= 1
    assert "Bad CRC-32 for file 'schema.json'" in refused(bytes(flipped))


def test_descriptions_are_checked(archive, refused):
    members = members_of(archive)

    def described(**changes):
        info = {**json.loads(members[INFO]), **changes}
        return packed({**members, INFO: json.dumps(info).encode()})

    assert "'skser.json' is not readable JSON" in refused(packed({**members, INFO: b"{"}))
    assert "'skser.json' is not a JSON object" in refused(packed({**members, INFO: b"[]"}))
    for versions in (None, [], "2.0", {"numpy": 2}):
        assert "does not list the versions" in refused(described(versions=versions))
    for number in (7, True, "2"):
        later = described(format=number, versions={"skser": "3.0"})
        assert f"has format {number!r}, written by skser 3.0; this version reads" in refused(later)
    assert "earlier version of skser" in refused(packed({"manifest.json": b"{}"}))
    assert "number of features' steps was None when" in refused(described(features=None))
    labels = ["bliss", "fear", "happiness", "neutral", "sadness"]
    assert "labels was ['bliss', 'fear'" in refused(described(labels=labels))


def test_members_are_those_of_the_format(archive, refused):
    members = members_of(archive)
    for name in ("../evil.py", "/etc/passwd", "sub/schema.json", "run.pkl", "a" * 65 + ".npy"):
        assert f"has a member {name!r}" in refused(packed({**members, name: b"x"}))
    without = {name: content for name, content in members.items() if name != "3.npy"}
    assert "No model can be built from its content (KeyError" in refused(packed(without))
    buffer = io.BytesIO(archive)
    with zipfile.ZipFile(buffer, "a") as twice, pytest.warns(UserWarning, match="Duplicate"):
        twice.writestr(SCHEMA, b"{}")
    assert "two members of one name" in refused(buffer.getvalue())


def test_bombs_links_and_overlaps_are_refused_before_they_are_read(archive, refused):
    members = members_of(archive)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bomb:
        for name in (INFO, SCHEMA):
            bomb.writestr(name, members[name])
        bomb.writestr("0.npy", bytes(2**26))
    assert "is compressed or encrypted" in refused(buffer.getvalue())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as links:
        link = zipfile.ZipInfo(SCHEMA)
        link.external_attr = 0o120777 << 16
        links.writestr(link, "/etc/passwd")
        links.writestr(INFO, members[INFO])
    assert "'schema.json' is not a plain file" in refused(buffer.getvalue())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as overlapping:
        for name in (INFO, SCHEMA):
            overlapping.writestr(name, members[name])
        overlapping.writestr("0.npy", bytes(2**16))
        for number in range(1, 100):  # entries for the same bytes
            entry = copy.copy(overlapping.getinfo("0.npy"))
            entry.filename = f"{number}.npy"
            overlapping.filelist.append(entry)
    assert "are larger than the file" in refused(buffer.getvalue())


# Types that need trust ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("loader", "name"),
    [
        ("ObjectNode", "subprocess.Popen"),
        ("ObjectNode", "sklearn.utils.parallel.Parallel"),
        ("ObjectNode", "sklearn.tree._classes.DecisionTreeClassifier"),
        ("ObjectNode", "skser.feature_extraction._speech_embedding.SpeechEmbedding"),
        ("ObjectNode", "skser.audio.load_audio"),
        ("FunctionNode", "os.system"),
        ("FunctionNode", "numpy.absolute"),
        ("TypeNode", "builtins.eval"),
        ("PartialNode", "functools.partial"),
        ("OperatorFuncNode", "operator.methodcaller"),
        ("ConstructorFromReduceNode", "subprocess.Popen"),
        ("LossNode", "sklearn.tree._tree.Tree"),
        ("DictNode", "subprocess.Popen"),
        ("ListNode", "os.popen"),
        ("BytesNode", "builtins.bytes"),
        ("NdArrayNode", "os.system"),
        ("JsonNode", "builtins.list"),
        ("Unheard", "a.b"),
    ],
)
def test_types_and_nodes_outside_the_list_need_trust(archive, refused, loader, name):
    module, _, short = name.rpartition(".")
    node = {"__loader__": loader, "__module__": module, "__class__": short, "content": []}
    reason = refused(with_schema(archive, lambda s: put(step(s, 1), "mean_", node)))
    assert f"holds {name}, which load does not build without trust" in reason
    assert "load(path, trusted=True)" in reason


def test_a_method_needs_trust_by_its_own_name(archive, refused):
    def change(schema):
        node = {
            "__loader__": "MethodNode", "__module__": step(schema, 1)["__module__"],
            "__class__": "SequenceScaler", "content": {"func": "fit", "obj": step(schema, 1)},
        }  # fmt: skip
        put(step(schema, 2), "augment", node)

    content = with_schema(archive, change)
    assert "SequenceScaler.fit, which" in refused(content)
    assert "SequenceScaler.fit, which" in refused(content, trusted=[SequenceScaler])


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, "training"), ({"babble": None}, None), ({"babble": [X]}, "training")],
)
def test_recordings_of_conditions_are_neither_saved_nor_loaded(
    saved, path, refused, given, expected
):
    def nodes(node):
        inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        yield node
        for part in inner:
            yield from nodes(part)

    content = saved(AugmentedClassifier(LogisticRegression(), Conditions(noise="/etc", **given)))
    loaded = skser.load(path).augment
    assert (loaded.noise, loaded.babble) == (None, expected)
    for name in ("noise", "babble", "impulse_responses"):

        def change(schema, name=name):
            (found,) = (n for n in nodes(schema) if isinstance(n, dict) and "n_voices" in n)
            found[name] = {**found["n_voices"], "content": '"/etc"'}

        assert f"It sets Conditions.{name}, which is never" in refused(with_schema(content, change))


def test_trees_and_support_vectors_need_trust(saved, path):
    boosting = GradientBoostingClassifier(n_estimators=1).fit(X, Y)
    for model, kind in ((boosting, "_gb.GradientBoostingClassifier"), (SVR(), "_classes.SVR")):
        saved(model if model is boosting else model.fit(X, X[:, 0]))
        with pytest.raises(SavedModelError, match=kind):
            skser.load(path)
        with pytest.raises(SavedModelError, match=kind):
            skser.load(path, trusted=["numpy.ndarray"])
        trust = read_info(path)["trust"]
        assert any(kind in name for name in trust)
        for trusted in (True, trust):
            assert (skser.load(path, trusted=trusted).predict(X) == model.predict(X)).all()


def test_an_embedding_names_a_checkpoint_and_needs_trust(saved, path):
    saved(SpeechEmbedding("nobody/nothing"))
    with pytest.raises(SavedModelError, match="SpeechEmbedding, which load does not build"):
        skser.load(path)
    assert skser.load(path, trusted=[SpeechEmbedding]).checkpoint == "nobody/nothing"


# Content ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "attribute", "value", "reason"),
    [
        (2, "predict_proba", 1, "is not an attribute"),
        (2, "__class__", 1, "is not an attribute"),
        (2, "_parameter_constraints", 1, "is not an attribute"),
        (0, "memory", "/tmp", "memory, which is never saved"),
        (2, "checkpoint_dir", "/tmp", "checkpoint_dir, which is never saved"),
        (2, "n_threads", 8, "n_threads, which is never saved"),
        (0, "n_jobs", 1000, "n_jobs, which is never saved"),
        (0, "verbose", True, "verbose, which is never saved"),
        (2, "n_heads", -1, "'n_heads' parameter"),
        (2, "augment", 3, "'augment' parameter"),
        (0, "n_fft", 2**30, "n_fft=1073741824 is more than"),
        (0, "window", 1e9, "window=1000000000.0 is more than"),
        (2, "batch_size", 10**9, "batch_size=1000000000 is more than"),
        (0, "sampling_rate", 1e9, "sampling_rate=1000000000.0 is more than"),
        (0, "hop", 1e-9, "asks for more than 16777216 values"),
        (0, "hop", 0.0125, "features[0]: layout: hop was 0.01 when the model was saved"),
        (2, "n_heads", 10**8, "the parameters ask for float32 of shape (100000000, 4)"),
        (2, "classes_", "x" * 4000, "text of 4002 characters as classes_"),
    ],
)
def test_parameters_are_checked_before_anything_is_built(
    archive, refused, number, attribute, value, reason
):
    change = lambda schema: put(step(schema, number), attribute, as_json(value))  # noqa: E731
    assert reason in refused(with_schema(archive, change))


def test_layers_must_fit_the_weights(archive, saved, mels, corpus, refused):
    def many(schema):
        put(step(schema, 2), "filters", as_list([as_json(1)] * 20_000, "tuple"))

    assert "ask for more weights than the 17" in refused(with_schema(archive, many))

    def lose(schema):
        weights = attributes(schema, 2)["_network"]["content"]["weights"]
        weights["content"].pop("module.output.weight")
        weights["key_types"]["content"].pop()

    assert "weight 'output.weight' is missing" in refused(with_schema(archive, lose))
    model = AttentionRNNClassifier(n_hidden=4, max_epochs=1, device="cpu")
    content = saved(model.fit(mels[:10], corpus.target[:10]))

    def deep(schema):
        put(schema, "n_layers", as_json(10**9))

    assert "ask for more weights than the" in refused(with_schema(content, deep))


def test_moments_of_the_optimizer_must_fit_the_weights(saved, mels, corpus, refused):
    model = AttentionRNNClassifier(cell=None, max_epochs=1, device="cpu")
    content = saved(model.partial_fit(mels[:10], corpus.target[:10]))

    def short(schema):
        moments = attributes(schema)["_network"]["content"]["optimizers"]["content"]
        moments["0.0.exp_avg"]["file"] = "short.npy"

    forged = with_schema(content, short, **{"short.npy": as_npy(np.zeros(1, np.float32))})
    assert "state of the optimizer" in refused(forged)


@pytest.mark.parametrize(
    ("model", "attribute", "array"),
    [
        (LogisticRegression(), "coef_", np.zeros((3, 4))),
        (LogisticRegression(), "coef_", np.zeros((2, 3))),
        (LogisticRegression(), "intercept_", np.zeros((3, 1))),
        (LogisticRegression(), "classes_", np.zeros((3, 1))),
        (LogisticRegression(), "solver", np.zeros(10**5)),
        (QuadraticDiscriminantAnalysis(), "means_", np.zeros((3, 10**5))),
        (SequenceScaler(), "mean_", np.zeros((10**6, 1))),
        (SequenceScaler(), "scale_", np.zeros(4)),
    ],
    ids=lambda value: str(getattr(value, "shape", value))[:20],
)
def test_arrays_that_do_not_fit_one_another_are_refused(model, attribute, array, saved, refused):
    def change(schema):
        put(schema, attribute, as_array("forged.npy"))

    content = saved(model.fit(X, Y))
    reason = refused(with_schema(content, change, **{"forged.npy": as_npy(array)}))
    assert f"{type(model).__name__}." in reason
    assert "does not fit its other arrays" in reason or "which is not known" in reason


def test_rotations_and_calibrators_must_fit(saved, refused):
    def longer(schema):
        lists = attributes(schema)["rotations_"]["content"]
        lists[1]["file"] = "forged.npy"

    content = saved(QuadraticDiscriminantAnalysis().fit(X, Y))
    forged = {"forged.npy": as_npy(np.zeros((4, 3)))}
    assert "rotations_ of shape (4, 3)" in refused(with_schema(content, longer, **forged))
    model = CalibratedClassifierCV(LogisticRegression(), method="isotonic", cv=2).fit(X, Y)
    content = saved(model)

    def shorter(schema):
        text = json.dumps(schema)
        name = json.loads(text[text.index('"X_thresholds_": ') + 17 :].partition("}")[0] + "}")
        return json.loads(text.replace(f'"{name["file"]}"', '"forged.npy"'))

    forged = {"forged.npy": as_npy(np.zeros(10**5))}
    assert "_thresholds_ of shape" in refused(with_schema(content, shorter, **forged))


def test_arrays_that_promise_more_than_there_is(archive, refused):
    header = io.BytesIO()
    claim = {"descr": "<f8", "fortran_order": False, "shape": (2**40,)}
    np.lib.format.write_array_header_1_0(header, claim)
    pickled = io.BytesIO()
    np.save(pickled, np.array([print], dtype=object), allow_pickle=True)
    assert pickle.dumps(print)[:2] in pickled.getvalue()
    for data in (header.getvalue() + b"x", pickled.getvalue()):
        members = members_of(archive)
        assert "does not fit its data" in refused(packed({**members, "3.npy": data}))


def test_a_generator_that_points_outside_of_itself_is_refused(saved, refused):
    content = saved(AttentionFCNClassifier(random_state=np.random.RandomState(0)))

    def change(schema):
        state = attributes(schema)["random_state"]["content"]["content"]["state"]
        state["content"]["pos"] = as_json(10**6)

    assert "random generator as random_state with a wrong state" in refused(
        with_schema(content, change)
    )


def test_depth_and_protocol_are_bounded(archive, refused):
    members = members_of(archive)
    for content, reason in (
        (b"[" * 10**5, "is not readable JSON"),
        (b"[" * 2**21, "is too large"),
        (b"{}", "protocol None"),
        (b'{"protocol": 1}', "protocol 1"),
        (b'{"protocol": 2}', "KeyError"),
    ):
        assert reason in refused(packed({**members, SCHEMA: content}))

    def deep(schema):
        node = as_json(1)
        for _ in range(100):
            node = as_list([node])
        put(step(schema, 1), "mean_", node)

    assert "more than 100 objects deep" in refused(with_schema(archive, deep))


# The budget ---------------------------------------------------------------------------


def one_array_a_thousand_times(schema):
    put(step(schema, 1), "mean_", as_list([as_array("large.npy")] * 1000))


def one_object_a_thousand_times(schema):
    first = {**as_array("large.npy"), "__id__": 10**6}
    put(step(schema, 1), "mean_", as_list([first] + [{"__id__": 10**6}] * 1000))


def lists_of_long_strings(schema):
    put(step(schema, 1), "mean_", as_list([as_list([as_json("x" * 4000)]) for _ in range(60)]))


def pipelines_of_pipelines(schema):
    number = schema["__id__"] = 10**6
    for depth in range(40):
        inner = schema if depth == 0 else {"__id__": number}
        steps = [
            as_list([as_json(name), part], "tuple")
            for name, part in (("a", inner), ("b", {"__id__": number}))
        ]
        number += 1
        outer = json.loads(json.dumps({**schema, "content": None, "__id__": number}))
        key = {"__class__": "str", "__module__": "builtins", "__loader__": "TypeNode"}
        outer["content"] = {
            "__class__": "dict", "__module__": "builtins", "__loader__": "DictNode",
            "key_types": as_list([key] * 3),
            "content": {"steps": as_list(steps), "memory": as_json(None),
                        "verbose": as_json(False)},
        }  # fmt: skip
        schema, inner = outer, None
        if depth == 0:
            whole = outer
            place = outer["content"]["content"]["steps"]["content"][0]["content"]
        else:
            # The pipeline before, written out once.
            outer["content"]["content"]["steps"]["content"][0]["content"][1] = whole
            whole = outer
    assert place
    return whole


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (one_array_a_thousand_times, "bytes of memory"),
        (one_object_a_thousand_times, "bytes of memory"),
        (lists_of_long_strings, "text of 4002 characters"),
        (pipelines_of_pipelines, "objects deep"),
    ],
)
def test_what_a_file_uses_is_bounded_by_its_size(archive, refused, change, reason):
    content = with_schema(archive, change, **{"large.npy": as_npy(np.zeros(2**17))})
    before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    assert reason in refused(content)
    assert time.process_time() - begin < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 * 1024


def test_pipelines_shared_twenty_deep_exhaust_the_budget(archive, refused):
    def share(schema):
        node = {**step(schema, 0), "__id__": 10**6}
        for number in range(20):
            again = {"__id__": node["__id__"]}
            node = {**as_list([node, again]), "__id__": 10**6 + 1 + number}
        put(step(schema, 1), "mean_", node)

    assert "bytes of memory" in refused(with_schema(archive, share))
