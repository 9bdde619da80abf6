"""Raw releases become utterances with votes, and these become manifests: CSV files that training reads (contract 1).

`base` holds the plugin interface, one file each the readers (`iemocap`, `crema_d`, `vote_table`, `demo`), `audio` the
check of a recording, `prepare` the way from release to manifests, and `manifest` the way back from a folder to tables.
"""

from mlee_sb.corpora.base import OTHER, Check, Corpus, Fold, Skipped, Utterance, grouped_folds, load_corpus, plurality

__all__ = ["OTHER", "Check", "Corpus", "Fold", "Skipped", "Utterance", "grouped_folds", "load_corpus", "plurality"]
