"""A corpus whose labels a person merges or renames, for example excitement into happiness as most papers on IEMOCAP do."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from mlee_sb.corpora.base import OTHER, Check, Corpus, Fold, Skipped, Utterance, plurality
from mlee_sb.corpora.labels_file import Labels

SAME = ("data_folder", "name", "fold_options", "grouping", "speakers", "demo", "texts_shared_by_design", "dominant_is_plurality")


class Relabelled(Corpus):
    """A corpus with other codes. An annotator who voted for two labels of one code voted for it once.

    Where the votes are counts without annotators, the counts of merged labels are added, and never exceed the number of annotators.
    The release is compared with its published counts as it is.

    Parameters
    ----------
    corpus : with its own codes
    labels : from its codes to others; a code that is not there stays
    """

    def __init__(self, corpus: Corpus, labels: Labels):
        self.corpus, self.labels = corpus, labels
        for name in SAME:
            setattr(self, name, getattr(corpus, name))
        self._found: list[Utterance | Skipped] = []

    @property
    def categories(self) -> tuple[str, ...]:
        """The codes after merging, in the order of the corpus's own."""
        return self._codes(self.corpus.categories)

    @property
    def emotions(self) -> tuple[str, ...]:
        """The same without `OTHER`."""
        return tuple(code for code in self._codes(self.corpus.emotions) if code != OTHER)

    @property
    def default_emotions(self) -> tuple[str, ...]:
        """The targets of the corpus after merging."""
        return tuple(code for code in self._codes(self.corpus.default_emotions) if code != OTHER)

    @property
    def dominant_rule(self) -> str:
        """The rule of the corpus, and the merging before it."""
        return f"{self.corpus.dominant_rule}; labels were changed before: {self.labels.words(self.corpus.categories)}"

    def utterances(self) -> Iterator[Utterance | Skipped]:
        """Yield what the corpus yields, with other codes."""
        self._found = list(self.corpus.utterances())
        yield from map(self._relabelled, self._found)

    def folds(self, speakers: Sequence[str]) -> list[Fold]:
        """Return the folds of the corpus."""
        return self.corpus.folds(speakers)

    def session_folds(self, sessions: Sequence[str]) -> list[Fold]:
        """Return the folds of the corpus over sessions."""
        return self.corpus.session_folds(sessions)

    def checks(self, items: Sequence[Utterance | Skipped]) -> list[Check]:
        """Return the counts of the release as it is."""
        return self.corpus.checks(self._found)

    def remarks(self) -> list[str]:
        """Return the remarks of the corpus."""
        return self.corpus.remarks()

    def text_of(self, utterance: str) -> str | None:
        """Return the text of an utterance."""
        return self.corpus.text_of(utterance)

    def _codes(self, codes: Sequence[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(self._code, codes)))

    def _code(self, code: str) -> str:
        return self.labels.code_of(code) or code

    def _relabelled(self, item: Utterance | Skipped) -> Utterance | Skipped:
        if isinstance(item, Skipped):
            return item
        annotations = tuple(dict.fromkeys((annotator, self._code(label)) for annotator, label in item.annotations))
        votes: Counter[str] = Counter(code for _, code in annotations)
        if not annotations:
            for code, count in item.votes.items():
                votes[self._code(code)] += count
            if all(count <= item.n_annotators for count in item.votes.values()):  # otherwise the fault must stay to be found
                votes = Counter({code: min(count, item.n_annotators) for code, count in votes.items()})
        dominant = plurality(votes) if self.dominant_is_plurality else self._code(item.dominant) if item.dominant else ""
        return replace(item, votes=votes, annotations=annotations, dominant=dominant)
