"""The config.json of a bundle: its schema, and how it is read without trust.

The author of a bundle may be a stranger. So all sizes and shapes are checked here, before anything is built from them.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from mlee_sb.calibration import Calibration
from mlee_sb.errors import InputError, NeedsCode
from mlee_sb.models.bundle_files import CONFIG
from mlee_sb.targets.outputs import OUTPUTS

SCHEMA = 3  # schema 2 brought the head of existence, calibration, and the package of each plugin; schema 3 the sha256 of the weights
WITHOUT_SHA256 = 2  # an older schema that can still be read
LARGEST_CONFIG = 256 * 1024  # bytes
LARGEST_TEXT = 1024**2  # bytes of a card, of scores, and of what describes an upstream
LARGEST_WEIGHTS = 4 * 1024**3  # bytes
MOST_ENCODERS = 8
LONGEST_LIST, LONGEST_TEXT, LARGEST_NUMBER, DEEPEST = 64, 200, 2**31, 4  # limits for the settings of a module
LONGEST_LICENCE = 64  # characters
POOL_BEFORE = 2  # `pool` of all networks that earlier versions wrote: they did not note it
MODEL_TYPE = "model_type"  # entry of the config of an upstream that names its family
HERE = "here"  # what the description of an upstream says of weights that lie in the bundle itself
LARGEST_AUDIO = 2**20  # Hz, and samples of the shortest waveform: a test tone has so many
MOST_LAYERS = 256  # of an upstream; the largest ones have 48
AGAIN = "get the bundle again"


def read_bounded(path: Path, largest: int, root: Path | None = None) -> str:
    """Return the text of a file of a bundle. The file must be in the bundle and not larger than `largest` bytes.

    Parameters
    ----------
    path : the file
    largest : bytes
    root : the folder that must hold the file after links are followed; by default the folder of `path`

    Raises
    ------
    InputError
        if the file is missing, outside `root`, too large, or not text
    """
    check_place(path, root)
    if path.stat().st_size > largest:
        raise InputError(f"{path}: {path.stat().st_size:,} bytes, and at most {largest:,} are read: do not trust this bundle")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file ({error}); {AGAIN}") from error


def check_place(path: Path, root: Path | None = None) -> None:
    """Refuse a file that is missing, is not a plain file, or is a link to a place outside its bundle."""
    if not path.is_file():
        raise InputError(f"{path}: missing; {AGAIN}")
    if not path.resolve().is_relative_to((root or path.parent).resolve()):
        raise InputError(f"{path}: a link out of the bundle, to {path.resolve()}: do not trust this bundle")


def _bounded(value: JsonValue, depth: int = 0) -> JsonValue:
    if depth > DEEPEST:
        raise ValueError(f"more than {DEEPEST} lists in one another")
    if isinstance(value, dict | list) and len(value) > LONGEST_LIST:
        raise ValueError(f"{len(value)} values, and at most {LONGEST_LIST} are taken")
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        raise ValueError(f"a text of {len(value)} characters, and at most {LONGEST_TEXT} are taken")
    if isinstance(value, int | float) and not abs(value) <= LARGEST_NUMBER:
        raise ValueError(f"{value!r}, and numbers up to {LARGEST_NUMBER} are taken")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _bounded(inner, depth + 1)
    return value


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("characters that cannot be printed")
    return text


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]*$", max_length=100)]
Word = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_printable)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Settings = Annotated[dict[str, JsonValue], AfterValidator(_bounded)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Plugin(_Strict):
    """A module: its registered name, the package that registers it, and the arguments of its constructor."""

    name: Name
    package: Name
    settings: Settings


class EncoderConfig(Plugin):
    """An encoder, and what it is built on: a front end, or an upstream (its number in the list of upstreams); None where it has none."""

    front_end: Plugin | None = None
    upstream: Annotated[int, Field(ge=0)] | None = None

    @model_serializer(mode="wrap")
    def _as_before(self, dump: SerializerFunctionWrapHandler) -> dict:
        """Leave out what bundles of earlier versions do not have, where it says nothing: so theirs are as they were."""
        return {name: value for name, value in dump(self).items() if name != "upstream" or value is not None}


class UpstreamFiles(_Strict):
    """The files of published weights: a model on a hub, or a folder of one.

    Attributes
    ----------
    name : user/name on the hub, or the name of the folder
    commit : of the model on the hub; None for a folder that is on no hub
    files : file name -> sha256
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]*(/[A-Za-z0-9_][A-Za-z0-9_.\-]*)?$", max_length=200)]
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None
    files: Annotated[dict[Name, Sha256], Field(min_length=1, max_length=LONGEST_LIST)]

    @property
    def sha256(self) -> str:
        """The sha256 of the weights; of several files, that of their names and sha256s."""
        if len(self.files) == 1:
            return next(iter(self.files.values()))
        return hashlib.sha256(json.dumps(self.files, sort_keys=True).encode()).hexdigest()


class UpstreamConfig(_Strict):
    """The pretrained network that encoders stand on.

    Attributes
    ----------
    config, processor : as for `mlee_sb.models.upstreams.networks.make_network`
    sample_rate, min_samples, step_seconds, n_layers, size : of the network, so that nothing must be loaded to know them
    weights : the files with its weights; ``"here"`` where the weights are in model.safetensors
    origin : where the weights are here: the files that they were taken from
    licence : of the upstream, as its model card names it; "" where that is not known
    """

    config: Settings
    processor: Settings
    sample_rate: Annotated[int, Field(ge=1, le=LARGEST_AUDIO)]
    min_samples: Annotated[int, Field(ge=1, le=LARGEST_AUDIO)]
    step_seconds: Annotated[float, Field(gt=0, le=LARGEST_NUMBER)]
    n_layers: Annotated[int, Field(ge=0, le=MOST_LAYERS)]
    size: Annotated[int, Field(ge=1, le=LARGEST_NUMBER)]
    weights: Literal[HERE] | UpstreamFiles
    origin: UpstreamFiles | None = None
    licence: Annotated[str, Field(max_length=LONGEST_LICENCE), AfterValidator(_printable)] = ""

    @property
    def family(self) -> str:
        """The family of the network, as transformers names it."""
        return self.config[MODEL_TYPE]

    @property
    def here(self) -> bool:
        """Whether the weights are in the bundle itself."""
        return self.weights == HERE

    @property
    def files(self) -> UpstreamFiles:
        """The files of the weights, or those that the weights were taken from."""
        return self.origin if self.here else self.weights

    @model_validator(mode="after")
    def _is_whole(self) -> "UpstreamConfig":
        if not re.fullmatch(r"[A-Za-z0-9_\-]{1,64}", str(self.config.get(MODEL_TYPE))):
            raise ValueError(f"config: {MODEL_TYPE} must name a family")
        if self.here != (self.origin is not None):
            raise ValueError(f"origin stands with weights that are {HERE!r}, and with no others")
        return self


class EncoderInParts(_Strict):
    """An encoder as version 0.2.0 and earlier ones wrote it: a front end, a z-norm and a network, which is always that of the paper."""

    front_end: Plugin
    normalizer: Settings
    network: Plugin

    @property
    def whole(self) -> EncoderConfig:
        """The same encoder, as the current version writes it."""
        kept = {**self.network.settings, **self.normalizer}
        settings = {name: value for name, value in kept.items() if name != "n_features"}  # these follow from the front end
        settings["pool"] = POOL_BEFORE
        return EncoderConfig(name=self.network.name, package=self.network.package, settings=settings, front_end=self.front_end)


class Presence(_Strict):
    """The head of the MLEE stage whose encoder a model uses, and the number of this encoder among all."""

    encoder: Annotated[int, Field(ge=0)]
    classifier: Settings


class LabelRules(_Strict):
    """The labels and the data that the model was trained with. `target` is a registered name; `output` says what the K numbers mean."""

    target: Name
    train_set: Literal["dominant", "all"]
    min_votes: Annotated[int, Field(ge=1)]
    alpha: Annotated[float, Field(ge=0)] | None = None  # as earlier versions noted it; today it is one of the settings
    settings: Settings = {}  # of the target
    corpus: Word
    row: Word
    variant: Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(_printable)] = ""  # settings that differ from the row's file
    fold: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=0)]


class Architecture(_Strict):
    """Everything that is needed to build a model again, except its weights."""

    emotions: Annotated[list[Word], Field(min_length=1, max_length=LONGEST_LIST)]
    output: Literal[tuple(OUTPUTS)]
    frozen_encoders: bool
    encoders: Annotated[list[EncoderConfig | EncoderInParts], Field(min_length=1, max_length=MOST_ENCODERS)]
    upstreams: Annotated[list[UpstreamConfig], Field(max_length=MOST_ENCODERS)] = []
    classifier: Settings
    presence: Presence | None = None

    @model_serializer(mode="wrap")
    def _as_before(self, dump: SerializerFunctionWrapHandler) -> dict:
        """Leave out an empty list of upstreams, as `EncoderConfig` does with the number of one."""
        return {name: value for name, value in dump(self).items() if name != "upstreams" or value}

    @property
    def whole_encoders(self) -> list[EncoderConfig]:
        """The encoders as the current version writes them, also if an earlier version wrote them."""
        return [part.whole if isinstance(part, EncoderInParts) else part for part in self.encoders]

    @model_validator(mode="after")
    def _fits_together(self) -> "Architecture":
        if len(set(self.emotions)) != len(self.emotions):
            raise ValueError("an emotion is there twice")
        if len(self.encoders) > 1 and not self.frozen_encoders:
            raise ValueError("several encoders must be frozen_encoders")
        for encoder in self.whole_encoders:
            if encoder.upstream is not None and encoder.upstream >= len(self.upstreams):
                raise ValueError(f"an encoder stands on upstream {encoder.upstream}, and there are {len(self.upstreams)}")
        if self.presence and self.presence.encoder >= len(self.encoders):
            raise ValueError(f"presence belongs to encoder {self.presence.encoder}, and there are {len(self.encoders)}")
        return self


class BundleConfig(Architecture):
    """The content of config.json: the architecture, the rules of the labels, and the calibration."""

    format: Literal["mlee_sb"] = "mlee_sb"
    schema_: Annotated[Literal[2, 3], Field(alias="schema")] = SCHEMA
    weights_sha256: Sha256 | None = None  # of model.safetensors; schema 2 does not have it
    version: Word  # of the mlee_sb that wrote the file
    demo: bool
    labels: LabelRules
    calibration: Calibration | None

    @model_validator(mode="after")
    def _calibrates(self) -> "BundleConfig":
        curves = self.calibration.presence if self.calibration else None
        if curves is not None and len(curves) != len(self.emotions):
            raise ValueError(f"calibration has {len(curves)} curves of presence for {len(self.emotions)} emotions")
        return self

    @model_validator(mode="after")
    def _is_of_its_schema(self) -> "BundleConfig":
        if self.schema_ == WITHOUT_SHA256 and "weights_sha256" in self.model_fields_set:
            raise ValueError(f"schema {WITHOUT_SHA256} has no weights_sha256")
        if self.schema_ == SCHEMA and self.weights_sha256 is None:
            raise ValueError("weights_sha256 is missing")
        return self

    def as_json(self) -> dict:
        """Return the content as JSON holds it."""
        unknown = {"weights_sha256"} if self.schema_ == WITHOUT_SHA256 else None
        return self.model_dump(mode="json", by_alias=True, exclude=unknown)


def read_config(folder: Path, root: Path | None = None) -> BundleConfig:
    """Read config.json of a bundle.

    Raises
    ------
    InputError
        if the file is missing, damaged, too large, or of another format or schema
    """
    path = folder / CONFIG
    if not path.is_file():
        raise NeedsCode(f"{folder}: no {CONFIG} in it; give the folder model/ that training wrote")
    return parse_config(read_bounded(path, LARGEST_CONFIG, root), path)


def parse_config(text: str, where: Path | str) -> BundleConfig:
    """Read config.json from its text. `where` names the text in errors, which are those of `read_config`."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON ({error}); {AGAIN}") from error
    if not isinstance(found, dict) or found.get("format") != "mlee_sb":
        raise NeedsCode(f'{where}: not an mlee_sb model (its "format" is not "mlee_sb")')
    _check_schema(found.get("schema"), where)
    try:
        return BundleConfig.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{where}: {_plain(place)}: {_plain(first['msg'])} ({error.error_count()} fault(s) in all); {AGAIN}") from None


def _check_schema(schema, where: Path | str) -> None:
    reads = f"{WITHOUT_SHA256} and {SCHEMA}"
    if schema in (WITHOUT_SHA256, SCHEMA):
        return
    if isinstance(schema, int) and schema > SCHEMA:
        raise InputError(f"{where}: schema {schema}, and this version reads {reads}: install a newer mlee_sb")
    raise InputError(f"{where}: schema {_plain(repr(schema))}, and this version reads {reads}: move the stage away and train it again")


def _plain(text: str) -> str:
    """Return the text of a stranger with only such characters as a terminal may show."""
    return re.sub(r"[^\x20-\x7e]", "?", text)[:LONGEST_TEXT]
