"""Publish a trained model on a hub, with its scores and its licence, and without any name or path of the machine that made it."""

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from huggingface_hub import HfApi, ModelCard

from mlee_sb.disk import told
from mlee_sb.errors import InputError
from mlee_sb.files import write_text
from mlee_sb.hub_errors import hub_errors_explained, is_repository, odd_answers_explained
from mlee_sb.inference.card import card_text, parameters_of, read_scores, tested_scores
from mlee_sb.inference.hub import Place
from mlee_sb.inference.source import find, load_at
from mlee_sb.models.bundle import Bundle, save_bundle
from mlee_sb.models.bundle_files import CARD, FILES, SCORES
from mlee_sb.models.config import LARGEST_TEXT, BundleConfig, read_bounded
from mlee_sb.models.upstreams.carried import carry
from mlee_sb.stage_folder import MODEL

TEXT = (".json", ".md", ".yaml")
# The beginning of a path on somebody's machine, on Unix or Windows. Nobody means to publish one.
PRIVATE = re.compile(r"(?:/home/|/Users/|/root/|/mnt/|/tmp/|\b[A-Za-z]:\\+Users\\+)[\w.\-]+")
SELF_CONTAINED = "self_contained"  # the folder beside what is published, in which a bundle is written with its upstreams
SAME = 1e-3  # figures that differ less are the same: a person who edits a card may round them


def push(
    folder: str | Path,
    name: str,
    private: bool = False,
    licence: str | None = None,
    demo: bool = False,
    self_contained: bool = False,
) -> str:
    """Publish the bundle of a trained stage.

    Parameters
    ----------
    folder : of the stage or of the bundle
    name : user/name on the hub; the repository is made if it does not exist
    private : whether only you can see a repository that is made
    licence : of the model, as the hub names it; by default the one that the card names
    demo : publish the model even if it was trained on the demo release
    self_contained : publish the weights of its upstreams in it. Otherwise they are named, and fetched from the hub that has them

    Returns
    -------
    str
        the address of the model on the hub

    Raises
    ------
    InputError
        if the model is damaged, has no scores or no licence, is a demo, stands on an upstream that others cannot fetch, or has a private
        path in it; or if the hub refuses. Nothing is published then: all files are sent first, and only together they become a revision
    """
    if not is_repository(name):
        raise InputError(f"{name!r} is no name of a model on the hub: give user/name")
    if not Path(folder).is_dir():
        raise InputError(f"{folder}: no such folder; give the folder of a trained stage")
    place = find(folder)
    bundle = load_at(place)
    if bundle.config.demo and not demo:
        raise InputError(f"{folder}: DEMO: trained on generated speech, so of no use to anybody; --demo publishes it all the same")
    with told(tempfile.gettempdir()), tempfile.TemporaryDirectory() as temporary, told(temporary):
        if self_contained and any(not upstream.here for upstream in bundle.config.upstreams):
            place, bundle = self_contained_bundle(place, bundle, Path(temporary) / SELF_CONTAINED)
        _check_upstreams(folder, bundle.config)
        card = card_to_publish(place, bundle, licence, name)
        staged = _copy_to_publish(place, card, Path(temporary) / MODEL)
        with hub_errors_explained(name), odd_answers_explained(name):
            api = HfApi()
            repository = api.create_repo(name, private=private, exist_ok=True)
            message = f"{bundle.config.labels.row} on {bundle.config.labels.corpus}"
            api.upload_folder(repo_id=name, folder_path=staged, commit_message=message)
    return str(repository)


def self_contained_bundle(place: Place, bundle: Bundle, folder: Path) -> tuple[Place, Bundle]:
    """Write a bundle once more, with the weights of its upstreams in it, and with the same scores. Return the new one.

    Its card is the same one, with the lines written again that speak of these weights.

    Parameters
    ----------
    place, bundle : the bundle, and where it lies. Its model carries its upstreams from then on
    folder : of the new bundle

    Raises
    ------
    InputError
        if somebody changed one of these lines
    """
    config = bundle.config
    carry(bundle.model)
    save_bundle(folder, bundle.model, config.labels.model_dump(), config.demo)
    if (place.folder / SCORES).is_file():
        shutil.copyfile(place.folder / SCORES, folder / SCORES)
    new = Place(folder, folder)
    carrying = load_at(new)
    write_text(folder / CARD, _card_written_again(place, _made_card(place, config), _made_card(new, carrying.config)))
    return new, carrying


def _card_written_again(place: Place, before: str, after: str) -> str:
    """Return the card of a bundle with the lines of `after` in the place of those of `before`: what a person wrote stays."""
    changed = {old: new for old, new in zip(before.split("\n"), after.split("\n"), strict=True) if old != new}
    there = _card_of(place)
    lines = (before if there is None else there).split("\n")
    if gone := [old for old in changed if old not in lines]:
        raise InputError(
            f"{place.folder / CARD}: somebody changed a line that would say something wrong of a model with its upstream in it: put it "
            f"back as it was, and it is written again: {gone[0]}"
        )
    return "\n".join(changed.get(line, line) for line in lines)


def _check_upstreams(folder: str | Path, config: BundleConfig) -> None:
    """Refuse a model on an upstream that lies in a folder of this machine only."""
    for upstream in config.upstreams:
        if not upstream.here and upstream.weights.commit is None:
            raise InputError(
                f"{folder}: stands on the upstream {upstream.weights.name}, a folder of this machine that nobody else can fetch: publish "
                "its weights too, with --self_contained, or train with its name on the hub: --upstream user/name"
            )


def _card_as_trained(place: Place, config: BundleConfig) -> bool:
    """Return whether the card of a bundle is the one that was made from its run, or is missing: nobody edited it."""
    return _card_of(place) in (None, _made_card(place, config))


def _made_card(place: Place, config: BundleConfig) -> str:
    return card_text(config, read_scores(place, config), parameters_of(place, config))


def _card_of(place: Place) -> str | None:
    path = place.folder / CARD
    return read_bounded(path, LARGEST_TEXT, place.root) if path.is_file() else None


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
    if not scores or not tested_scores(scores).get("n_all"):
        raise InputError(f"{place.folder / SCORES}: no scores: nobody can know how good this model is; `mlee train` writes them")
    path = place.folder / CARD
    there = _card_of(place)
    edited = None if _card_as_trained(place, config) else ModelCard(there, ignore_metadata_errors=True)
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
    try:
        results = ModelCard(card, ignore_metadata_errors=True).data.eval_results or ()
    except Exception as error:  # the head may be of a stranger; YAML and the hub's library raise an error of another type for each fault
        return f"has a head that cannot be read ({error!s:.200})"
    for result in results:
        said, value = result.metric_value, tested_scores(scores).get(result.metric_type)
        if not isinstance(said, int | float) or not isinstance(value, int | float) or not abs(said - value) <= SAME:
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
