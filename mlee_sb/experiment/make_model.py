"""Make the model that comes with the package: a cross-validation says how good the recipe is, then all speakers train the model itself."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from mlee_sb.corpora.manifest import fold_numbers, read_utterances
from mlee_sb.corpora.prepare import prepare
from mlee_sb.errors import InputError
from mlee_sb.evaluation.cross_validated import cross_validated
from mlee_sb.evaluation.scores import format_scores
from mlee_sb.experiment.arguments import GOES_ON
from mlee_sb.experiment.parser import Parser
from mlee_sb.experiment.train import Trained, train
from mlee_sb.files import read_json, write_json, write_text, written_beside
from mlee_sb.inference.box import FOLDER
from mlee_sb.inference.card import card_text, parameters_of, read_scores
from mlee_sb.inference.hub import Place
from mlee_sb.inference.publish import self_contained_bundle
from mlee_sb.inference.source import find, load_at
from mlee_sb.models.bundle_files import CARD, SCORES
from mlee_sb.stage_folder import CROSS_VALIDATED, MANIFESTS, TRAINED_ON
from mlee_sb.start import exit_status

# What the model is. All of it is [choice]; the settings that are not here are those of the files in hparams.
CORPUS, EMOTIONS, VALIDATE = "crema_d", ["neu", "hap", "sad", "fea", "ang", "dis"], 8  # the last one: speakers that choose the epoch
ROW, SETTINGS = "mlee_fusion", {"encoder": "pretrained", "target": "soft", "train_set": "all"}
LICENCE, OF_THE_UPSTREAM = "apache-2.0", "mit"  # of the model, and of Whisper
LARGEST = 20 * 10**6  # bytes of the whole folder: everybody who installs the package gets it
RESULTS = "results_box"
MADE_FROM = "clips.txt"  # beside the card: the ID of each clip that it was made from
WORDS = Path(__file__).parent / "templates" / "box_card.md"  # what its card says besides what every card says
AGAIN = "make the model again"


def main(arguments: Sequence[str], description: str = "", program: str | None = None) -> int:
    """Make the model as `arguments` ask for. Return the exit status: 0, 2 for a wrong input, 130 after Ctrl-C."""
    return exit_status(partial(_main, arguments, description, program), GOES_ON)


def _main(arguments: Sequence[str], description: str, program: str | None) -> int:
    parser = Parser(prog=program, description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_folder", required=True, help=f"the folder that holds the release of {CORPUS}")
    parser.add_argument("--upstream", required=True, help="the pretrained network: openai/whisper-tiny.en, or a folder with its files")
    parser.add_argument("--results", default=RESULTS, help=f"the folder for what is trained on the way (default: {RESULTS})")
    parser.add_argument("--output", default=str(FOLDER), help="the folder of the model (default: where the package looks for it)")
    folder = make_model(**vars(parser.parse_args(arguments)))
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"the model is in {folder}: {size / 1e6:.1f} MB")
    return 0


def make_model(data_folder: str | Path, upstream: str, results: str | Path = RESULTS, output: str | Path = FOLDER) -> Path:
    """Make the model, and write it as one folder. What is finished in `results` is reused.

    Parameters
    ----------
    data_folder : the folder that holds the release of the corpus
    upstream : the pretrained network, as for `mlee train --upstream`
    results : the folder for what is trained on the way
    output : the folder of the model; a model that is there is replaced

    Returns
    -------
    Path
        of the model

    Raises
    ------
    InputError
        if the data or the upstream cannot be used, or if the model would be larger than `LARGEST`
    """
    results = Path(results)
    _, folds = _trained(data_folder, upstream, results / "folds", None)
    scores = cross_validated(results / "folds", [trained.folder for trained in folds])
    print(format_scores(scores))
    protocol, (final,) = _trained(data_folder, upstream, results / "final", VALIDATE)
    known = {CROSS_VALIDATED: scores, TRAINED_ON: protocol["counts"]["folds"][0]["train"]}
    clips = read_utterances(results / "final" / MANIFESTS)["ID"]
    with written_beside(output) as beside:
        _write(final, known, protocol["counts"], beside)
        write_text(beside / MADE_FROM, "".join(f"{clip}\n" for clip in sorted(clips)))
        _check_size(beside)
    return Path(output)


def _trained(data_folder: str | Path, upstream: str, results: Path, final: int | None) -> tuple[dict, list[Trained]]:
    """Prepare the corpus and train the row on all its folds, or on a final fold. Return the protocol, and what was trained."""
    manifests = results / MANIFESTS
    protocol = prepare(CORPUS, data_folder, manifests, EMOTIONS, final=final)
    where = {"data_folder": data_folder, "manifests": manifests, "results": results, "upstream": str(upstream), "device": "cpu"}
    return protocol, [train(ROW, **where, **SETTINGS, fold=fold) for fold in fold_numbers(protocol)]


def _write(final: Trained, known: dict, counts: dict, folder: Path) -> None:
    """Write the bundle to a new folder, with its upstream in it and a card of its own. The finished stage stays as it is.

    Parameters
    ----------
    final : the stage that all speakers trained
    known : entries of scores.json that tell how good it is, and what it learned from
    counts : of the corpus, in its protocol
    folder : of the new bundle
    """
    place = find(final.folder)
    bundle = load_at(place)
    for encoder in bundle.model.encoders:
        described = encoder.upstream.described
        encoder.upstream.described = described.model_copy(update={"licence": described.licence or OF_THE_UPSTREAM})
    _, carrying = self_contained_bundle(place, bundle, folder)
    place, config = Place(folder, folder), carrying.config
    write_json(folder / SCORES, read_json(folder / SCORES, AGAIN) | known)
    scores = read_scores(place, config)
    card = card_text(config, scores, parameters_of(place, config), LICENCE, source=None)
    from_hub = all(upstream.files.commit for upstream in config.upstreams)
    write_text(folder / CARD, f"{card}\n\n{_words(scores, counts, from_hub)}")


def _check_size(folder: Path) -> None:
    if (size := sum(path.stat().st_size for path in folder.iterdir())) > LARGEST:
        raise InputError(f"{folder}: {size:,} bytes, and at most {LARGEST:,} are for everybody who installs the package")


def _words(scores: dict, counts: dict, from_hub: bool) -> str:
    """Return what the card of this model says besides what every card says, with the counts that belong there."""
    heard = scores[TRAINED_ON]["dominant"]
    n = sum(heard[emotion] for emotion in EMOTIONS)
    rates = {f"{emotion}_percent": 100 * heard[emotion] / n for emotion in EMOTIONS}
    tested = scores[CROSS_VALIDATED]
    confusion = np.array(tested["confusion"])  # rows are truths
    always = 100 * confusion.sum(axis=1)[EMOTIONS.index("neu")] / tested["n"]
    called = {f"called_{emotion}": count for emotion, count in zip(EMOTIONS, confusion.sum(axis=0), strict=True)}
    right = {f"right_{emotion}": count for emotion, count in zip(EMOTIONS, confusion.diagonal(), strict=True)}
    made_from = {
        "clips": counts["utterances"],
        "release": counts["utterances"] + sum(counts["skipped"].values()),
        "file": MADE_FROM,
        "read_from": "the hub, at the commit above" if from_hub else "a local copy, and not fetched from the hub",
    }
    return WORDS.read_text(encoding="utf-8").format(
        **made_from, n=n, valid=VALIDATE, wa=100 * tested["wa"], always=always, **heard, **rates, **called, **right
    )
