"""The models that a server offers: found when it starts, loaded when they are asked for, kept while there is room."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from mlee_sb.errors import InputError, choose
from mlee_sb.hub_errors import is_repository
from mlee_sb.inference.box import FOLDER, box_in_words, open_box
from mlee_sb.inference.classifier import EmotionClassifier
from mlee_sb.inference.hub import Place, pull
from mlee_sb.inference.model_facts import facts
from mlee_sb.inference.source import ONNX, find, load, load_at
from mlee_sb.models.bundle_files import CONFIG, WEIGHTS
from mlee_sb.stage_folder import MODEL

IN_THE_BOX = "in the box"  # the name of the model that comes with the package


@dataclass(frozen=True)
class Model:
    """A loaded model.

    Attributes
    ----------
    name : by which it is asked for
    about : what it is and what it was trained on, in a line
    classifier : the model itself
    """

    name: str
    about: str
    classifier: EmotionClassifier


def find_models(sources: Sequence[str]) -> dict[str, str]:
    """Find the models that a person offers. Return the name and the source of each, in the given order.

    A name tells nothing of where this machine keeps its files: it is the path below the given folder, or else the last part of the path.
    Models with the same name have so many parts of their paths more that the names differ.

    Parameters
    ----------
    sources : each is a model (the folder of a bundle or of a stage, an ONNX file, ``"user/name"`` on the hub), or a folder with
        bundles below it. Without any, the model that comes with the package

    Raises
    ------
    InputError
        if a folder has no bundle in it
    """
    if not sources:
        return {IN_THE_BOX: str(open_box())}
    found: dict[tuple[str, ...], tuple[str, int]] = {}  # parts of the path -> the source, and how many of the parts are its name
    for source in sources:
        for model in _models_at(source):
            found.setdefault(_parts(model), (model, _least(model, source)))
    names = _short_names(list(found), [least for _, least in found.values()])
    return dict(zip(names, (model for model, _ in found.values()), strict=True))


def _parts(source: str) -> tuple[str, ...]:
    """Return the parts of the whole path of a model, or of its name on the hub."""
    if _on_hub(source):
        return tuple(source.split("/"))
    path = Path(source).resolve()
    return (path.parent if path.name == MODEL else path).parts[1:]  # without the root


def _least(model: str, source: str) -> int:
    """Return of how many parts the name of a model is made at least."""
    return len(_parts(model)) if _on_hub(model) else max(1, len(Path(model).relative_to(source).parts))


def _on_hub(source: str) -> bool:
    return is_repository(source) and not Path(source).exists()


def _short_names(paths: list[tuple[str, ...]], least: list[int]) -> list[str]:
    """Return a name for each path: its last parts, as many as are needed to tell all apart.

    >>> _short_names([("home", "a", "fold1"), ("home", "b", "fold1"), ("home", "c")], [1, 1, 1])
    ['a/fold1', 'b/fold1', 'c']
    """
    names = ["/".join(parts[-n:]) for parts, n in zip(paths, least, strict=True)]
    if len(set(names)) == len(names):
        return names
    return _short_names(paths, [n + (names.count(name) > 1) for n, name in zip(least, names, strict=True)])


def _models_at(source: str) -> list[str]:
    folder = Path(source)
    if not folder.is_dir() or any((place / CONFIG).is_file() for place in (folder, folder / MODEL)):
        return [source]
    bundles = sorted(config.parent for config in folder.rglob(CONFIG) if (config.parent / WEIGHTS).is_file())
    if not bundles:
        raise InputError(f"{source}: no model in this folder or below it: train one with `mlee train`, or give another --model")
    return [str(bundle.parent if bundle.name == MODEL else bundle) for bundle in bundles]


class Shelf:
    """The models of a server. Several threads may ask for them at the same time; each is loaded once.

    Parameters
    ----------
    sources : name -> source of each model, as `find_models` returns them
    hub : whether a visitor may name a model on the hub
    most : loaded models that are kept
    device : where they run, for example ``"cuda:0"``
    """

    def __init__(self, sources: Mapping[str, str], hub: bool, most: int, device: str = "cpu"):
        self.sources, self.hub, self.most, self.device = dict(sources), hub, most, device
        self.loaded: OrderedDict[str, Model] = OrderedDict()  # the one that was asked for last comes last
        self.looking, self.loading = Lock(), Lock()

    @property
    def names(self) -> list[str]:
        """The names of the models that are offered."""
        return list(self.sources)

    @property
    def in_the_box(self) -> str | None:
        """What a visitor must know of the model that comes with the package; None if it is not offered."""
        return box_in_words() if str(FOLDER) in self.sources.values() else None

    def get(self, name: str = "") -> Model:
        """Return a model, loaded.

        Parameters
        ----------
        name : one of `names`, or ``"user/name"`` on the hub where that is allowed; "" for the first one

        Raises
        ------
        InputError
            if there is no such model, or it cannot be loaded
        """
        name = name or self.names[0]
        if not (self.hub and is_repository(name)):
            choose(name, self.names, "model")
        found = self.ready(name)
        if found is None:
            with self.loading:  # one after the other: who comes second finds what the first one loaded
                found = self.ready(name) or self._load(name)
                self._keep(found)
        return found

    def get_for_a_visitor(self, name: str = "") -> Model:
        """Return a model as `get` does. Its errors have the names of models for their places on this machine."""
        try:
            return self.get(name)
        except InputError as error:
            words = str(error)
            for offered, source in self.sources.items():
                words = words.replace(source, offered) if Path(source).is_absolute() else words
            raise InputError(words) from error

    def ready(self, name: str = "") -> Model | None:
        """Return a model if it is in memory, at once. `name` is as for `get`."""
        name = name or self.names[0]
        with self.looking:
            if name in self.loaded:
                self.loaded.move_to_end(name)
            return self.loaded.get(name)

    def _keep(self, model: Model) -> None:
        with self.looking:
            self.loaded[model.name] = model
            while len(self.loaded) > self.most:
                self.loaded.popitem(last=False)

    def _load(self, name: str) -> Model:
        source = self.sources.get(name)
        if source is not None and source.endswith(ONNX):
            return Model(name, "an ONNX file", EmotionClassifier(load(source), self.device))
        place = pull(name) if source is None else find(source)  # what a visitor names is never a folder of this machine
        return Model(name, _about(place), EmotionClassifier(load_at(place).model, self.device))


def _about(place: Place) -> str:
    if place.folder == FOLDER:
        return box_in_words()
    found = facts(place)
    return f"{found['row']}, trained on {found['corpus']}"
