"""Folders of pretrained models: which are read, and what is said of the others."""

import json

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from upstreams import write_upstream

from mlee_sb.errors import InputError
from mlee_sb.models.upstreams.networks import read_network


@pytest.fixture
def folder(tmp_path):
    return write_upstream(tmp_path / "upstream", "hubert")


def rewrite(folder, change):
    """Change the weights of a folder, a dictionary."""
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


def change_json(path, **entries):
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def states(network):
    waveform = torch.linspace(-1, 1, 4000).sin().unsqueeze(0)
    return network(waveform, torch.tensor([4000]), [0, network.n_layers])[0][1]


def test_a_network_is_read_frozen_in_eval_mode_and_float32(folder):
    expected = states(read_network(folder))
    rewrite(folder, lambda weights: weights.update({name: tensor.double() for name, tensor in weights.items()}))
    network = read_network(folder)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert not network.training and not any(parameter.requires_grad for parameter in network.parameters())
    assert torch.equal(states(network), expected)


@pytest.mark.parametrize(("family", "head"), [("hubert", "HubertForCTC"), ("whisper", "WhisperForConditionalGeneration")])
def test_heads_and_decoders_are_left_out(tmp_path, family, head):
    network = read_network(write_upstream(tmp_path, family, head))
    assert not [name for name in network.state_dict() if "head" in name or "decoder" in name or "proj_out" in name]
    assert states(network).isfinite().all()


def test_weights_in_several_files_are_read(folder):
    expected = states(read_network(folder))
    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    (folder / "model.safetensors").unlink()
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, part in parts.items():
        save_file({name: weights[name] for name in part}, folder / file)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {name: file for file, part in parts.items() for name in part}}))
    assert torch.equal(states(read_network(folder)), expected)
    (folder / "b.safetensors").rename(folder.parent / "b.safetensors")
    with pytest.raises(InputError, match=r"b.safetensors: missing, and model.safetensors.index.json names it"):
        read_network(folder)
    index.write_text(json.dumps({"weight_map": dict.fromkeys(names, "../b.safetensors")}))
    with pytest.raises(InputError, match="must name files of this folder"):
        read_network(folder)


def test_names_of_weights_from_before_torch_2_are_known(folder):
    expected = states(read_network(folder))

    def rename(weights):
        for new, old in (("parametrizations.weight.original0", "weight_g"), ("parametrizations.weight.original1", "weight_v")):
            for name in [name for name in weights if name.endswith((new, old))]:
                weights[name.replace(new, old)] = weights.pop(name)

    rewrite(folder, rename)
    assert any(name.endswith("weight_g") for name in load_file(folder / "model.safetensors"))
    assert torch.equal(states(read_network(folder)), expected)


LAST = "encoder.layers.2.feed_forward.output_dense.bias"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: weights.pop(LAST), rf"not the weights that config.json describes: {LAST} missing; fetch the upstream again"),
        (lambda weights: weights.clear(), r"describes: .*, .*, .* and \d+ more missing"),
        (lambda weights: weights.update({LAST: torch.zeros(3)}), rf"{LAST} has shape \[3\], not \[16\]"),
        (lambda weights: weights.update({LAST: torch.zeros(16).char()}), "holds torch.int8: take weights that are not quantised"),
        (lambda weights: weights[LAST].fill_(torch.nan), f"values that are not finite in {LAST}"),
    ],
)
def test_other_weights_than_the_config_describes_are_refused(folder, change, message):
    rewrite(folder, change)
    with pytest.raises(InputError, match=message) as raised:
        read_network(folder)
    assert str(folder) in str(raised.value)


def test_damaged_weights_are_refused(folder):
    (folder / "model.safetensors").write_bytes(b"\x08" + bytes(40))
    with pytest.raises(InputError, match="model.safetensors: damaged"):
        read_network(folder)


def test_pickled_weights_are_refused_with_a_remedy_that_works(folder):
    weights = load_file(folder / "model.safetensors")
    expected = states(read_network(folder))
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match="no model.safetensors in it"):
        read_network(folder)
    torch.save(weights, folder / "pytorch_model.bin")
    with pytest.raises(
        InputError, match=r"only pytorch_model.bin, which can run code .* AutoModel\.from_pretrained\(.*\)\.save_pretrained"
    ):
        read_network(folder)
    new = folder.parent / "new"
    transformers.AutoModel.from_pretrained(str(folder)).save_pretrained(new)
    (folder / "preprocessor_config.json").rename(new / "preprocessor_config.json")
    assert torch.equal(states(read_network(new)), expected)


def test_code_in_a_folder_is_refused(folder):
    change_json(folder / "config.json", auto_map={"AutoModel": "theirs.Model"})
    with pytest.raises(InputError, match="config.json: auto_map names code of the model's author, which is never run"):
        read_network(folder)


def test_a_family_that_is_not_known_is_named_with_those_that_are(folder):
    change_json(folder / "config.json", model_type="wav2vec")
    with pytest.raises(InputError, match="config.json: unknown model_type 'wav2vec': did you mean 'wav2vec2'.*hubert, wavlm"):
        read_network(folder)
    change_json(folder / "config.json", model_type=None)
    with pytest.raises(InputError, match="config.json: model_type is missing"):
        read_network(folder)


def processor_beside_a_tokenizer(folder, **settings):
    """Let transformers write the processor of a folder, as it does for models that recognise speech."""
    (folder / "preprocessor_config.json").unlink()
    (folder / "vocab.json").write_text(json.dumps({"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4}))
    tokenizer = transformers.Wav2Vec2CTCTokenizer(folder / "vocab.json")
    transformers.Wav2Vec2Processor(transformers.Wav2Vec2FeatureExtractor(**settings), tokenizer).save_pretrained(folder)


def test_the_processor_is_read_where_transformers_wrote_it_beside_a_tokenizer(folder):
    expected = states(read_network(folder))
    processor_beside_a_tokenizer(folder, do_normalize=False)
    plain = read_network(folder)
    assert plain.processor["do_normalize"] is False and not torch.equal(states(plain), expected)
    (folder / "preprocessor_config.json").unlink(missing_ok=True)
    (folder / "processor_config.json").write_text(json.dumps({"processor_class": "Wav2Vec2Processor"}))
    with pytest.raises(InputError, match=r"processor_config.json: feature_extractor is missing, and there is no preprocessor_config.json"):
        read_network(folder)


@pytest.mark.parametrize(("name", "message"), [("config.json", "config.json: missing"), ("preprocessor_config.json", "what sample rate")])
def test_a_file_that_is_missing_is_named(folder, name, message):
    (folder / name).unlink()
    with pytest.raises(InputError, match=message) as raised:
        read_network(folder)
    assert str(folder / name) in str(raised.value)
