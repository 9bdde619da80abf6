"""Raw releases become utterances with votes, and these become manifests: CSV files that training reads (contract 1).

base             what a reader is; each reader is a file: iemocap, crema_d, msp_podcast, msp_improv (with msp_votes), vote_table, demo
plugin_check     what a reader must have and give
options          options of a reader, also as flags of a command line
own_name         the name of a person's own corpus
audio_headers    whether a recording can be used; audio_cache keeps the answers
prepare          from a release to manifests: manifest_writer writes them, counts reports
manifest         from a folder of manifests back to tables
"""

from mlee_sb.corpora.base import OTHER, Check, Corpus, Fold, Skipped, Utterance, grouped_folds, load_corpus, plurality

__all__ = ["OTHER", "Check", "Corpus", "Fold", "Skipped", "Utterance", "grouped_folds", "load_corpus", "plurality"]
