"""Publish a trained model on a hub, with its scores and its licence, and without any name or path of the machine that made it."""

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from huggingface_hub import HfApi, ModelCard

from mlee_sb.errors import InputError
from mlee_sb.hub_errors import hub_errors_explained, is_repository
from mlee_sb.inference.card import card_text, parameters_of, read_scores
from mlee_sb.inference.hub import LARGEST_TEXT, Place
from mlee_sb.inference.source import find, load_at
from mlee_sb.models.bundle import Bundle
from mlee_sb.models.bundle_files import CARD, FILES, SCORES
from mlee_sb.models.config import read_bounded
from mlee_sb.stage_folder import MODEL

TEXT = (".json", ".md", ".yaml")
# The beginning of a path on somebody's machine, on Unix or Windows. Nobody means to publish one.
PRIVATE = re.compile(r"(?:/home/|/Users/|/root/|/mnt/|/tmp/|\b[A-Za-z]:\\+Users\\+)[\w.\-]+")
SAME = 1e-3  # figures that differ less are the same: a person who edits a card may round them


def push(folder: str | Path, name: str, private: bool = False, licence: str | None = None, demo: bool = False) -> str:
    """Publish the bundle of a trained stage.

    Parameters
    ----------
    folder : of the stage or of the bundle
    name : user/name on the hub; the repository is made if it does not exist
    private : whether only you can see a repository that is made
    licence : of the model, as the hub names it; by default the one that the card names
    demo : publish the model even if it was trained on the demo release

    Returns
    -------
    str
        the address of the model on the hub

    Raises
    ------
    InputError
        if the model is damaged, has no scores or no licence, is a demo, or has a private path in it; or if the hub refuses. Nothing is
        published then: all files are sent first, and only together they become a revision
    """
    if not is_repository(name):
        raise InputError(f"{name!r} is no name of a model on the hub: give user/name")
    if not Path(folder).is_dir():
        raise InputError(f"{folder}: no such folder; give the folder of a trained stage")
    place = find(folder)
    bundle = load_at(place)
    if bundle.config.demo and not demo:
        raise InputError(f"{folder}: DEMO: trained on generated speech, so of no use to anybody; --demo publishes it all the same")
    card = card_to_publish(place, bundle, licence, name)
    with tempfile.TemporaryDirectory() as temporary:
        staged = _copy_to_publish(place, card, Path(temporary) / MODEL)
        with hub_errors_explained(name):
            api = HfApi()
            repository = api.create_repo(name, private=private, exist_ok=True)
            message = f"{bundle.config.labels.row} on {bundle.config.labels.corpus}"
            api.upload_folder(repo_id=name, folder_path=staged, commit_message=message)
    return str(repository)


def card_to_publish(place: Place, bundle: Bundle, licence: str | None, name: str) -> str:
    """Return the card of a bundle with the licence and the name of the model. A card that somebody edited keeps its text.

    Parameters
    ----------
    place, bundle : the bundle, and where it lies
    licence : of the model, as the hub names it; None for the one that the card names
    name : of the model on the hub

    Raises
    ------
    InputError
        if there are no scores or no licence, or if the figures of an edited card are not the figures of scores.json
    """
    config, parameters = bundle.config, parameters_of(place, bundle.config)
    scores = read_scores(place, config)
    if not scores or not scores.get("n_all"):
        raise InputError(f"{place.folder / SCORES}: no scores: nobody can know how good this model is; `mlee train` writes them")
    path = place.folder / CARD
    there = read_bounded(path, LARGEST_TEXT, place.root) if path.is_file() else None
    edited = None if there in (None, card_text(config, scores, parameters)) else ModelCard(there, ignore_metadata_errors=True)
    licence = licence or (edited.data.license if edited else None)
    if not licence:
        raise InputError(f"{place.folder}: no licence: name one with --license, for example cc-by-4.0 (the corpus may ask for one)")
    if edited is None:
        return card_text(config, scores, parameters, licence, name)
    if wrong := first_wrong_figure(there, scores):
        raise InputError(f"{path}: {wrong}: is it of another model?")
    edited.data.license = licence
    return str(edited)


def first_wrong_figure(card: str, scores: Mapping) -> str | None:
    """Return, in words, the first figure in the head of a card that differs from scores.json; None if all are the same."""
    for result in ModelCard(card, ignore_metadata_errors=True).data.eval_results or ():
        value = scores.get(result.metric_type)
        if value is None or not abs(float(result.metric_value) - value) <= SAME:
            return f"says {result.metric_type} {result.metric_value}, and {SCORES} {value}"
    return None


def _copy_to_publish(place: Place, card: str, folder: Path) -> Path:
    """Copy the files of the bundle, and no others, into `folder` with that card; an InputError if there is a private path in one."""
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
            raise InputError(f"{place.folder / file}: would publish {private[0]!r}, a path on a machine: take it out")
    return folder
