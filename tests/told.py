"""A corpus of the utterances that a test tells, read as an installed reader reads one."""

from mlee_sb.corpora import options
from mlee_sb.corpora.base import Corpus, grouped_folds


class Told(Corpus):
    """It yields what `tell` was given last."""

    name, emotions, default_emotions = "told", ("neu", "hap"), ("neu", "hap")
    told: tuple = ()

    def utterances(self):
        yield from self.told

    def folds(self, speakers):
        return grouped_folds(speakers, 10)


def tell(monkeypatch, utterances) -> None:
    """Let the corpus `told` be these utterances."""
    monkeypatch.setattr(options, "load_corpus", lambda name: Told)
    monkeypatch.setattr(Told, "told", tuple(utterances))
