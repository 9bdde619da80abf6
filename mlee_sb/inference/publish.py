"""Publish a trained model on a hub: with its scores and its licence, and with nothing of the machine that made it."""

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from huggingface_hub import HfApi, ModelCard

from mlee_sb.errors import InputError
from mlee_sb.inference.card import card_text, parameters_of, read_scores
from mlee_sb.inference.hub import LARGEST_TEXT, Place, is_repository, told
from mlee_sb.inference.source import find, load_at
from mlee_sb.models.bundle import Bundle
from mlee_sb.models.bundle_files import CARD, FILES, SCORES
from mlee_sb.models.config import read_bounded

TEXT = (".json", ".md", ".yaml")
# The beginning of a place on somebody's machine, on Unix and on Windows: what nobody means to publish.
PRIVATE = re.compile(r"(?:/home/|/Users/|/root/|/mnt/|/tmp/|\b[A-Za-z]:\\+Users\\+)[\w.\-]+")
SAME = 1e-3  # figures of a card that somebody edited may be rounded


def push(folder: str | Path, name: str, private: bool = False, licence: str | None = None, demo: bool = False) -> str:
    """Publish the bundle of a trained stage.

    Parameters
    ----------
    folder : of the stage or of the bundle
    name : user/name on the hub; made where it is not there yet
    private : whether only you can see it, where it is made
    licence : of the model, as the hub names it; by default the one that the card names
    demo : publish a model that was trained on the demo release

    Returns
    -------
    str
        where it can be seen

    Raises
    ------
    InputError
        if the model is damaged, has no scores or no licence, is a demo, or would tell something private; or the hub refuses.
        Nothing is published then: files are sent first, and become a revision all at once
    """
    if not is_repository(name):
        raise InputError(f"{name!r}: no name of a model on the hub: give user/name")
    if not Path(folder).is_dir():
        raise InputError(f"{folder}: no such folder; give the folder of a trained stage")
    place = find(folder)
    bundle = load_at(place)
    if bundle.config.demo and not demo:
        raise InputError(f"{folder}: DEMO: trained on generated speech, of no use to anybody; --demo publishes it nevertheless")
    card = card_to_publish(place, bundle, licence, name)
    with tempfile.TemporaryDirectory() as temporary:
        staged = _staged(place, card, Path(temporary) / "model")
        with told(name):
            api = HfApi()
            repository = api.create_repo(name, private=private, exist_ok=True)
            message = f"{bundle.config.labels.row} on {bundle.config.labels.corpus}"
            api.upload_folder(repo_id=name, folder_path=staged, commit_message=message)
    return str(repository)


def card_to_publish(place: Place, bundle: Bundle, licence: str | None, name: str) -> str:
    """The card in the bundle, with the licence and the name of the model. One that was edited by hand keeps its text.

    Raises
    ------
    InputError
        if there are no scores or no licence, or the figures of an edited card are not those of scores.json
    """
    config, parameters = bundle.config, parameters_of(place, bundle.config)
    scores = read_scores(place, config)
    if not scores or not scores.get("n_all"):
        raise InputError(f"{place.folder / SCORES}: no scores: how good is this model? recipes/train.py writes them")
    path = place.folder / CARD
    there = read_bounded(path, LARGEST_TEXT, place.root) if path.is_file() else None
    edited = None if there in (None, card_text(config, scores, parameters)) else ModelCard(there, ignore_metadata_errors=True)
    licence = licence or (edited.data.license if edited else None)
    if not licence:
        raise InputError(f"{place.folder}: no licence: name one with --license, for example cc-by-4.0 (the corpus may ask for one)")
    if edited is None:
        return card_text(config, scores, parameters, licence, name)
    if differing := figures_that_differ(there, scores):
        raise InputError(f"{path}: {differing}: is it of another model?")
    edited.data.license = licence
    return str(edited)


def figures_that_differ(card: str, scores: Mapping) -> str | None:
    """The first figure in the head of a card that is not that of scores.json, in words; None where all are."""
    for result in ModelCard(card, ignore_metadata_errors=True).data.eval_results or ():
        value = scores.get(result.metric_type)
        if value is None or not abs(float(result.metric_value) - value) <= SAME:
            return f"says {result.metric_type} {result.metric_value}, and {SCORES} {value}"
    return None


def _staged(place: Place, card: str, folder: Path) -> Path:
    """A copy of the bundle with that card: its files and no other, looked through for what is private."""
    folder.mkdir()
    (folder / CARD).write_text(card, encoding="utf-8")
    for file in set(FILES) - {CARD}:
        if not (place.folder / file).is_file():
            raise InputError(f"{place.folder / file}: missing; train the stage again")
        shutil.copyfile(place.folder / file, folder / file)
    own = {str(path) for path in (Path.home(), Path.cwd(), place.folder.resolve()) if len(path.parts) > 1}
    for file in FILES:
        content = (folder / file).read_bytes()
        private = [text for text in own if f"{text}/".encode() in content]
        private += PRIVATE.findall(content.decode(errors="replace")) if file.endswith(TEXT) else []
        if private:
            raise InputError(f"{place.folder / file}: would publish {private[0]!r}, a place on a machine: take it out")
    return folder
