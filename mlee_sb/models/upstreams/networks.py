"""The networks of pretrained speech encoders by family, built from a description or read from a folder."""

from collections.abc import Mapping
from pathlib import Path

import torch

from mlee_sb.errors import InputError, choose
from mlee_sb.models.config import MODEL_TYPE
from mlee_sb.models.upstreams.base import Network
from mlee_sb.models.upstreams.folder import CONFIG, load_weights, read_config, read_processor
from mlee_sb.models.upstreams.w2v_bert import W2vBertNetwork
from mlee_sb.models.upstreams.wav2vec2 import Data2VecNetwork, HubertNetwork, Wav2Vec2Network, WavlmNetwork
from mlee_sb.models.upstreams.whisper import WhisperNetwork

FAMILIES: dict[str, type[Network]] = {
    "whisper": WhisperNetwork,
    "wav2vec2": Wav2Vec2Network,
    "hubert": HubertNetwork,
    "wavlm": WavlmNetwork,
    "data2vec-audio": Data2VecNetwork,
    "wav2vec2-bert": W2vBertNetwork,
}
"""What computes a model, by the ``model_type`` of its config in transformers."""

INSTALL = 'pretrained encoders other than Whisper need transformers: pip install "mlee_sb[pretrained]"'


def make_network(config: Mapping, processor: Mapping) -> Network:
    """Build a network with new weights from `Network.config` and `Network.processor`. The global random generator does not change.

    Below ``torch.device("meta")`` it takes no memory.

    Raises
    ------
    InputError
        if transformers is needed and not installed, the family is unknown, or the settings do not make a network
    """
    family = FAMILIES[choose(config.get(MODEL_TYPE), FAMILIES, MODEL_TYPE)]
    try:
        with torch.random.fork_rng(devices=[]):
            return family(config, processor).requires_grad_(False).eval()
    except InputError:
        raise
    except ImportError as error:
        raise InputError(INSTALL) from error
    except Exception as error:  # of many kinds, for settings that transformers or torch do not take
        raise InputError(f"{config[MODEL_TYPE]}: these settings make no network ({error!s:.200})") from error


def read_network(folder: Path) -> Network:
    """Read a network from the folder of a pretrained model: float32, in eval mode, nothing learns.

    Parameters
    ----------
    folder : with config.json, preprocessor_config.json (or processor_config.json) and model.safetensors (or several files, and their index)

    Raises
    ------
    InputError
        if a file is missing or damaged, the weights are pickled or not those of the config, the family is unknown, or code would be run
    """
    network = network_of(Path(folder))
    load_weights(Path(folder), network.model)
    return network.requires_grad_(False)


def network_of(folder: Path) -> Network:
    """Build the network that a folder describes, on the meta device: without its weights. Errors are those of `read_network`."""
    config, processor = read_config(folder), read_processor(folder)
    try:
        family = FAMILIES[choose(config[MODEL_TYPE], FAMILIES, MODEL_TYPE)]
        with torch.device("meta"):
            return make_network(_only(config, (MODEL_TYPE, *family.SETTINGS)), _only(processor, family.PROCESSOR))
    except InputError as error:
        raise InputError(f"{folder / CONFIG}: {error}") from error


def _only(settings: Mapping, names) -> dict:
    return {name: settings[name] for name in names if name in settings}
