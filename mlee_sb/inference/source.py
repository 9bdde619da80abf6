"""Find and load the model that a person names: a folder, an ONNX file, or a repository on the hub."""

from pathlib import Path

from mlee_sb.errors import InputError, NeedsCode
from mlee_sb.hub_errors import is_repository
from mlee_sb.inference.answers import AnyModel
from mlee_sb.inference.hub import Place, pull
from mlee_sb.models.bundle import Bundle, load_bundle
from mlee_sb.models.bundle_files import CONFIG
from mlee_sb.noted_upstreams import upstream_folders
from mlee_sb.stage_folder import MODEL

ONNX = ".onnx"


def find(source: str | Path, revision: str | None = None) -> Place:
    """Find the folder of a bundle. A model on the hub is fetched, unless it already is in the hub's cache.

    Parameters
    ----------
    source : the folder of a bundle, the folder of the stage above it, or ``"user/name"`` on the hub. If both a folder and a name on
        the hub fit, the folder is taken, unless `revision` is given
    revision : of a model on the hub: a branch, a tag or a commit

    Raises
    ------
    InputError
        if there is no such model, or it cannot be fetched
    """
    folder = Path(source)
    if revision is None and folder.is_dir():
        inner = folder / MODEL
        folder = inner if (inner / CONFIG).is_file() else folder
        return Place(folder, folder)
    is_onnx = str(source).endswith(ONNX)
    if folder.is_file():
        other = f"a file; a model is the folder that training wrote, user/name on the hub, or an {ONNX} file"
        raise InputError(f"{source}: " + ("an ONNX file: give the model that it was made from" if is_onnx else other))
    if not is_repository(str(source)):
        if is_onnx:
            raise InputError(f"{source}: no such file")
        hint = "" if revision is None else f" (with revision {revision!r}, a model is only looked for on the hub)"
        raise InputError(f"{source}: no such folder, and no name of a model on the hub (user/name){hint}")
    return pull(str(source), revision)


def load(source: str | Path, revision: str | None = None, trust_remote_code: bool = False) -> AnyModel:
    """Load the model that `source` names, in eval mode, on the CPU.

    Parameters
    ----------
    source, revision : as for `find`; `source` may also be an ONNX file
    trust_remote_code : run the hyperparams.yaml of a bundle that cannot be built from its config.json alone

    Raises
    ------
    InputError
        as `find` and `mlee_sb.models.bundle.load_bundle`
    """
    if str(source).endswith(ONNX) and Path(source).is_file():
        from mlee_sb.inference.onnx_model import OnnxModel

        return OnnxModel(Path(source))
    place = find(source, revision)
    try:
        return load_at(place).model
    except NeedsCode as error:  # no other error: to run code is no remedy for damage
        if not trust_remote_code:
            raise NeedsCode(
                f"{error}. Or, if you trust everybody who could change its hyperparams.yaml, run that program with trust_remote_code"
            ) from None
    from mlee_sb.inference.speechbrain_model import SpeechBrainModel

    return SpeechBrainModel(place.folder)


def load_at(place: Place) -> Bundle:
    """Load the bundle at a place that `find` returned."""
    return load_bundle(place.folder, place.root, upstream_folders(place.folder.parent))
