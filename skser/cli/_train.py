"""Commands that train systems and evaluate them."""

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from skser._optional import import_optional
from skser._wording import counted
from skser.audio import printable
from skser.cli._console import epochs_as_messages, messages, output
from skser.cli._files import check_place, holds_audio, is_onnx, refuse_same_file, writing
from skser.cli._options import (
    ChosenSystem,
    Conditions,
    Corpus,
    Device,
    Epochs,
    FoldJobs,
    Jobs,
    Json,
    Memory,
    Refuse,
    Seed,
    System,
    TableOrFolder,
    Targets,
    dimensions,
)
from skser.cli._systems import refusing, system_for, training_targets


def train(
    table: TableOrFolder,
    out: Annotated[str, typer.Option(help="File to write, such as model.skser or model.onnx.")],
    corpus: Corpus = None,
    system: ChosenSystem = System.functionals,
    target: Targets = None,
    conditions: Conditions = None,
    refuse: Refuse = False,
    max_epochs: Epochs = None,
    seed: Seed = 0,
    memory: Memory = None,
    jobs: Jobs = 1,
    device: Device = "auto",
):
    """Train a model on all utterances of a table or corpus, and save it."""
    import numpy as np
    import pandas as pd

    from skser.cli._card import training_card
    from skser.compose import AugmentedClassifier, AugmentedRegressor, group_keywords
    from skser.export import export_onnx
    from skser.persistence import save

    target = dimensions(target)
    refuse_same_file(table=table, out=out)
    check_place(Path(out), holds_model=True)
    model = system_for(
        system, target, memory=memory, jobs=jobs, device=device, seed=seed,
        max_epochs=max_epochs, conditions=conditions,
    )  # fmt: skip
    if refuse:
        model = refusing(model, target)
    if is_onnx(out):
        import_optional("onnx", extra="onnx", purpose="--out *.onnx")
    data = _corpus(table, corpus, target)
    rows, y = training_targets(data, target)
    of_all = "" if rows.all() else f" of {len(rows)}, those with ratings"
    messages.print(f"training {system} on {counted(rows.sum(), 'utterance')}{of_all}")
    _show_progress(model)
    speakers = np.full(len(y), None) if data.speakers is None else data.speakers[rows]
    # Babble in an altered copy is made of other speakers, if they are known.
    known = {} if pd.isna(speakers).any() else group_keywords(model, speakers)
    with epochs_as_messages():
        model.fit(data.data[rows], y, **known)
    in_conditions = isinstance(model, AugmentedClassifier | AugmentedRegressor)
    # Altered copies are for training only, and have no place in a graph.
    fitted = model.estimator_ if is_onnx(out) and in_conditions else model
    if target:
        fitted.target_names_ = target  # that `predict` prints
    if is_onnx(out):
        with writing(out):
            export_onnx(fitted, Path(out))
    else:
        n_copies = model.n_copies if in_conditions else 0
        held_out = "speakers" if known else "utterances"
        thresholds = f"from held-out {held_out}" if refuse else None
        settings = {"seed": seed, "epochs": max_epochs, "thresholds of refusal": thresholds}
        name = corpus or table.absolute().name
        card = training_card(system, name, y, speakers, target, n_copies, settings)
        with writing(out):
            save(model, out, card=card)
    outputs = ", ".join(target or [f"{len(data.target_names)} emotions"])
    messages.print(
        f"{printable(out)}: {system}, {outputs}, trained on all {len(y)} utterances. To test it "
        "on unknown speakers: skser evaluate."
    )


def _show_progress(model):
    """Switch on progress bars of features and lines of epochs; `save` keeps neither setting."""
    for name, part in [("", model), *model.get_params().items()]:
        if hasattr(part, "max_epochs"):
            part.set_params(verbose=1)
        elif re.search(r"(^|__)features__(.*__)?verbose$", name):
            model.set_params(**{name: True})


def evaluate(
    table: TableOrFolder,
    corpus: Corpus = None,
    system: ChosenSystem = System.functionals,
    target: Targets = None,
    report: Annotated[Path | None, typer.Option(help="HTML report to write.")] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="CSV file to write, as input for skser compare.")
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="Name of published folds, such as emodb-loso or ravdess-5."),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            min=2, help="Number of speaker-disjoint folds without --protocol.", show_default="5"
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds to train each fold with.")] = 1,
    results_dir: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            help="Folder that stores finished folds; a later run resumes from there.",
        ),
    ] = None,
    conditions: Conditions = None,
    max_epochs: Epochs = None,
    memory: Memory = None,
    jobs: FoldJobs = 1,
    device: Device = "auto",
    as_json: Json = False,
):
    """Evaluate a system on speakers that it was not trained on."""
    from skser.evaluation import EvaluationReport, cross_validate_speakers, write_predictions
    from skser.model_selection import published_folds

    if protocol is not None and folds is not None:
        reason = "published folds have a number of their own; leave out --folds or --protocol."
        raise typer.BadParameter(reason, param_hint="'--folds'")
    target = dimensions(target)
    refuse_same_file(table=table, report=report, predictions=predictions)
    if report is not None:
        check_place(report)
        for library in ("jinja2", "matplotlib"):
            import_optional(library, extra="report", purpose="--report")
    if predictions is not None:
        check_place(predictions, is_replaced=True)
    data = _corpus(table, corpus, target)
    model = system_for(
        system, target, memory=memory, jobs=1, device=device, max_epochs=max_epochs,
        conditions=conditions,
    )  # fmt: skip
    evaluation = cross_validate_speakers(
        model,
        data,
        target="emotion" if not target else target[0] if len(target) == 1 else target,
        cv=(folds or 5) if protocol is None else published_folds(data, protocol),
        n_seeds=seeds,
        results_dir=results_dir,
        n_jobs=jobs,
        verbose=True,
    )
    if as_json:
        summary = evaluation.summary().astype(object)
        summary["chance"] = evaluation.chance()
        if not target and evaluation.predictions["speaker"].nunique() > 1:
            bounds = [evaluation.interval(metric) for metric in evaluation.metrics.values()]
            summary[["low", "high"]] = bounds  # of the 95 % interval over speakers
        print(json.dumps(summary.where(summary.notna(), None).to_dict("index"), indent=1))
    else:
        output.print(str(evaluation))
    # The scores are printed by now, so that a full disk does not lose them.
    if predictions is not None:
        with writing(predictions):
            write_predictions(evaluation, predictions)
        messages.print(f"predictions: {printable(predictions)}")
    if report is not None:
        with writing(report):
            written = EvaluationReport(evaluation, data).save(report)
        messages.print(f"report: {printable(written)}")


def _corpus(path, name, targets):
    """Load the utterance table in a CSV file, or the corpus in a folder."""
    data = _loaded(path, name)
    if not targets and len(data.target_names) < 2:
        raise ValueError(
            f"{path} has one emotion, {data.target_names[0]}. Give utterances of two or more."
        )
    return data


def _loaded(path, name):
    from skser.datasets import load_corpus, load_folder, load_table

    if name is not None:
        return load_corpus(name, path)
    if not path.is_dir():
        if path.is_file():
            with open(path, "rb") as file:
                if holds_audio(file.read(16)):
                    raise ValueError(
                        f"{path} is a recording. Give a CSV file with the columns audio, emotion "
                        "and speaker."
                    )
        return load_table(path)
    remedy = "Name the corpus in it with --corpus, or give a folder with one subfolder per emotion."
    try:
        data = load_folder(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error} {remedy}") from error
    if len(data.target_names) < 2:
        raise ValueError(f"{path} has one subfolder with audio, {data.target_names[0]}. {remedy}")
    return data
