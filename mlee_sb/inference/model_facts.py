"""Tell a person what a bundle is, in a few facts."""

from mlee_sb.inference.card import parameters_of, read_scores, tested_scores, upstreams_in_words
from mlee_sb.inference.hub import Place
from mlee_sb.models.config import Architecture, EncoderConfig, read_config
from mlee_sb.stage_folder import row_name
from mlee_sb.targets.outputs import OUTPUTS


def facts(place: Place) -> dict[str, object]:
    """Return names and values for a person, from config.json and scores.json. The model is not loaded.

    Raises
    ------
    InputError
        if a file is missing or damaged, or the weights do not have the sha256 that config.json notes
    """
    config = read_config(place.folder, place.root)
    scores = tested_scores(read_scores(place, config) or {})
    rules, calibration, output = config.labels, config.calibration, OUTPUTS[config.output]
    found: dict[str, object] = {
        "emotions": " ".join(config.emotions),
        "tells": output.tells,
        "presence": "of each emotion, in the same pass" if config.presence or output.knows_existence else "not known to this model",
        "row": row_name(rules.row, rules.variant),
        "corpus": f"DEMO: {rules.corpus}, generated speech" if config.demo else rules.corpus,
        "training": f"fold {rules.fold}, seed {rules.seed}, {rules.train_set}, {rules.target}, min_votes {rules.min_votes}",
        "encoders": ", ".join(" on ".join(_encoder(part, config)) for part in config.whole_encoders),
        "values": f"{parameters_of(place, config):,}",
        "weights": f"sha256 {config.weights_sha256}" if config.weights_sha256 else f"schema {config.schema_} notes no sha256 of them",
    }
    for number, words in enumerate(upstreams_in_words(config), start=1):
        found["upstream" if len(config.upstreams) == 1 else f"upstream {number}"] = words
    of_folds = f" of {scores['folds']} folds" if "folds" in scores else ""  # of a final model
    for name in ("wa", "ua", "macro_f1"):
        if scores.get(name) is not None:
            found[name] = f"{100 * scores[name]:.1f} %, over {scores.get('n', '?')} test utterances{of_folds}"
    if calibration:
        found["calibrated"] = f"on {calibration.n_utterances} utterances of {calibration.n_speakers} {calibration.speakers}"
    return {**found, "written by": f"mlee_sb {config.version}", "folder": str(place.folder)}


def _encoder(part: EncoderConfig, config: Architecture) -> list[str]:
    """Return the name of an encoder, and that of its front end or its upstream."""
    if part.upstream is not None:
        return [part.name, config.upstreams[part.upstream].files.name]
    return [part.name, *([part.front_end.name] if part.front_end else [])]
