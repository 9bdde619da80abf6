"""Raw releases become utterances with votes, and these become manifests: CSV files that training reads (contract 1).

base             what a reader is; each reader is a file: iemocap, crema_d, msp_podcast, msp_improv (with msp_votes), vote_table, demo
plugin_check     what a reader must have and give
options          options of a reader, also as flags of a command line
own_name         the name of a person's own corpus
text_table       a table that a person wrote, in any dialect (with text_file); labels_file: the codes of a person's own labels (with codes)
relabelled       a corpus whose labels are merged
prepare          from a release to manifests: usable says what can be used, grouping makes the folds (own_split, partner_folds),
                 manifest_writer writes, prepare_report counts; prepare_once keeps manifests that stand
audio_headers    whether a recording can be used; audio_cache keeps the answers
manifest         from a folder of manifests back to tables; its identities are the names of speakers
"""

from mlee_sb.corpora.base import OTHER, Check, Corpus, Fold, Skipped, Utterance, grouped_folds, load_corpus, plurality

__all__ = ["OTHER", "Check", "Corpus", "Fold", "Skipped", "Utterance", "grouped_folds", "load_corpus", "plurality"]
