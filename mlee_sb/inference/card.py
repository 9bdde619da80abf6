"""Make the model card (README.md of a bundle) from the files that its training wrote, so that it describes this model and no other."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import jinja2
from huggingface_hub import EvalResult, ModelCardData

from mlee_sb.errors import InputError, printable
from mlee_sb.files import write_text
from mlee_sb.inference.hub import Place
from mlee_sb.inference.score_notes import check_scores
from mlee_sb.models.bundle_files import CARD, SCORES, WEIGHTS
from mlee_sb.models.config import LARGEST_TEXT, BundleConfig, UpstreamConfig, read_bounded, read_config
from mlee_sb.models.upstreams.find import FOLDERS
from mlee_sb.models.weights import count_values
from mlee_sb.stage_folder import CROSS_VALIDATED, MODEL, TRAINED_ON, row_name
from mlee_sb.targets.outputs import OUTPUTS

PLACEHOLDER = "user/name"
LIBRARY = "mlee_sb"
MEANT_IN_MARKDOWN = "\\`*[]<>|#$"
METRICS = {"wa": "WA (accuracy)", "ua": "UA (balanced accuracy)", "macro_f1": "macro-F1"}
NAMED_BY = (
    "row",
    "variant",
    "train_set",
    "fold",
    "seed",
    "corpus",
)  # in config.json and scores.json: they name the stage, and must be equal


def read_scores(place: Place, config: BundleConfig) -> dict | None:
    """Read scores.json of a bundle; return None if there is none.

    Raises
    ------
    InputError
        if it is damaged, or is of another stage than config.json
    """
    path = place.folder / SCORES
    if not path.is_file():
        return None
    try:
        scores = json.loads(read_bounded(path, LARGEST_TEXT, place.root))
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error}); train the stage again, which writes it, or get the bundle again") from error
    rules = config.labels.model_dump()
    other = [name for name in NAMED_BY if not isinstance(scores, Mapping) or name in scores and scores[name] != rules[name]]
    if other:
        raise InputError(f"{path}: not of the model of config.json, they differ in {', '.join(other)}: score the stage again")
    check_scores(scores, config.emotions, path, "score the stage again, or get the bundle again")
    return scores


def tested_scores(scores: Mapping) -> Mapping:
    """Return the scores over test utterances in scores.json: for a final model, those of the cross-validation before it."""
    return scores.get(CROSS_VALIDATED) or scores


def card_text(
    config: BundleConfig, scores: Mapping | None, parameters: int, licence: str | None = None, source: str | None = PLACEHOLDER
) -> str:
    """Return the text of a model card.

    Parameters
    ----------
    config : config.json of the model
    scores : scores.json of the model; None if there is none
    parameters : the number of values in the weights
    licence : of the model, as the hub names it, for example ``"cc-by-4.0"``
    source : the name of the model on the hub; None for the model that comes with the package, which needs no name
    """
    scores = scores or {}
    tested, rules = tested_scores(scores), config.labels
    title = source.split("/")[-1] if source not in (None, PLACEHOLDER) else f"{row_name(rules.row, rules.variant)} on {rules.corpus}"
    folds = f"{tested['folds']} folds" if CROSS_VALIDATED in scores else f"fold {rules.fold}"
    results = [
        EvalResult(
            task_type="audio-classification",
            dataset_type=rules.corpus,
            dataset_name=f"{rules.corpus}, {folds}",
            metric_type=name,
            metric_name=words,
            metric_value=round(tested[name], 6),
        )
        for name, words in METRICS.items()
        if tested.get(name) is not None
    ]
    data = ModelCardData(
        license=licence,
        library_name=LIBRARY,
        pipeline_tag="audio-classification",
        tags=["speech-emotion-recognition", "speechbrain", *(["demo"] if config.demo else [])],
        model_name=title,
        eval_results=results or None,
        base_model=[upstream.files.name for upstream in config.upstreams if upstream.files.commit] or None,
    )
    calibration = config.calibration
    return _template().render(
        card_data=data.to_yaml().strip(),
        title=title,
        source=source,
        figures=list(_figures(tested)),
        tested=tested if tested.get("n_all") else None,
        trained_on=scores.get(TRAINED_ON),
        parameters=parameters,
        sample_rate=_sample_rate(config),
        calibration=calibration,
        output=OUTPUTS[config.output],
        encoders=config.whole_encoders,
        upstreams=upstreams_in_words(config),
        elsewhere=any(not upstream.here for upstream in config.upstreams),
        row=row_name(rules.row, rules.variant),
        **{name: getattr(config, name) for name in ("demo", "presence", "emotions", "labels", "version")},
    )


def write_card(stage_or_bundle: str | Path) -> Path:
    """Write README.md of a bundle, from its config.json, its weights and its scores.json. Return its path."""
    folder = Path(stage_or_bundle)
    folder = folder if (folder / WEIGHTS).is_file() else folder / MODEL
    place, config = Place(folder, folder), read_config(folder)
    path = folder / CARD
    write_text(path, card_text(config, read_scores(place, config), parameters_of(place, config)))
    return path


def parameters_of(place: Place, config: BundleConfig) -> int:
    """Count the values in the weights of a bundle; an InputError if their sha256 is not the one that config.json notes."""
    return count_values(place.folder / WEIGHTS, config.weights_sha256, place.root)


def upstreams_in_words(config: BundleConfig) -> list[str]:
    """Return what each upstream of a model is, where it is from, how it is used, and its licence."""
    return [_in_words(upstream, number, config) for number, upstream in enumerate(config.upstreams)]


def _in_words(upstream: UpstreamConfig, number: int, config: BundleConfig) -> str:
    files, users = upstream.files, [encoder.settings for encoder in config.whole_encoders if encoder.upstream == number]
    layers = sorted({" ".join(map(str, _numbers(settings.get("layers")))) or "all" for settings in users})
    learned = max((n for settings in users for n in _numbers([settings.get("learn_layers")])), default=0)
    elsewhere = "are fetched from the hub" if files.commit else f"must lie in a folder that the environment variable {FOLDERS} names"
    return ", ".join(
        [
            f"{files.name} {f'at commit {files.commit}' if files.commit else '(a folder, on no hub)'}",
            f"{upstream.family} with {upstream.n_layers} layers, hidden states {' / '.join(layers)}",
            f"the last {learned} layers in use trained further" if learned > 0 else "frozen",
            f"sha256 {files.sha256}",
            f"licence {upstream.licence or 'unknown: ask its authors'}",
            f"its weights {'are in this model' if upstream.here else elsewhere}",
        ]
    )


def _numbers(values) -> list[int]:
    """Return the whole numbers of a list in the settings of an encoder, which may be those of a stranger."""
    return [value for value in values if type(value) is int] if isinstance(values, list) else []


def _sample_rate(config: BundleConfig) -> int | str:
    encoder = config.whole_encoders[0]
    if encoder.upstream is not None:
        return config.upstreams[encoder.upstream].sample_rate
    settings = encoder.front_end.settings if encoder.front_end else encoder.settings
    return settings.get("sample_rate", "its own")


def _figures(scores: Mapping):
    """Yield what stands in the table of scores, and its value as text: in percent, where the text does not say otherwise.

    A single fold has fewer lines: its card, if made again, is the one that an earlier version made of the same run.
    """
    intervals, of_folds = scores.get("intervals", {}), "folds" in scores
    for name, words in METRICS.items():
        if name in scores:
            yield words, _percent(scores[name], intervals.get(name))
    for emotion, value in scores.get("recall", {}).items():
        yield f"recall {emotion}", _percent(value)
    for emotion, values in scores.get("existence", {}).items():
        yield f"existence AUC {emotion}", _percent(values.get("auc"))
    if mean := intervals.get("existence_auc"):
        yield "existence AUC, mean over the emotions", _percent(mean["value"], mean)
    yield from _calibrated_figures(scores.get("calibrated", {}), len(scores.get("recall", {})), of_folds)


def _calibrated_figures(calibrated: Mapping, n_emotions: int, of_folds: bool):
    if "ece" in calibrated:
        yield "expected calibration error, calibrated", _percent(calibrated["ece"])
    for emotion, value in calibrated.get("presence_brier", {}).items() if of_folds else ():
        yield f"Brier score of the presence of {emotion}, calibrated (0 is perfect, 1 the worst)", f"{value:.3f}"
    for level, values in calibrated.get("coverage", {}).items():
        words = f"the candidates at {100 * float(level):.0f} %"
        yield f"coverage of {words}", _percent(values["share"])
        if of_folds:
            yield f"mean number of {words}", f"{values['mean_size']:.2f} of {n_emotions} emotions"
        for where in ("worst_fold", "best_fold"):
            if where in values:
                yield f"coverage of {words}, in the {where.replace('_', ' ')}", _percent(values[where])


def _percent(value: float | None, interval: Mapping | None = None) -> str:
    if value is None:
        return "none"
    known = interval and interval["low"] is not None
    return f"{100 * value:.1f}" + (f" [{100 * interval['low']:.1f}, {100 * interval['high']:.1f}]" if known else "")


def _escaped(text: object) -> str:
    """Return a name as Markdown shows it, also in a table. An underscore within a word means nothing there, and most names have one."""
    return "".join(f"\\{one}" if one in MEANT_IN_MARKDOWN else one for one in printable(text))


@cache
def _template() -> jinja2.Template:
    loader = jinja2.PackageLoader("mlee_sb.inference")
    environment = jinja2.Environment(loader=loader, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters["escaped"] = _escaped
    return environment.get_template("card.md.j2")
