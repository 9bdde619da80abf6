"""Any corpus, as a table of votes beside its recordings. The columns tell which of three forms it has:

- wide, a row an utterance with the number of votes for each emotion, or their proportion::

      wav,speaker,votes_neu,votes_hap,votes_other
      wavs/a.wav,anna,2,1,0

- long, a row a vote::

      wav,speaker,annotator,label
      wavs/a.wav,anna,ear1,neu
      wavs/a.wav,anna,ear2,hap

- a column an annotator, a row an utterance::

      wav,speaker,annotator_ear1,annotator_ear2
      wavs/a.wav,anna,neu,hap

`columns` says which other columns there may be. The text after ``votes_``, in ``label`` or in a column of an annotator is the code of an
emotion, or a label that the file given with ``--labels`` gives a code; ``other`` or ``oth`` is a vote for no emotion.
"""

from mlee_sb.corpora.vote_table.reader import VoteTable

__all__ = ["VoteTable"]
