"""Reasons for which several readers leave a part of a release out. The text before the first colon is its kind (`Skipped`)."""

DAMAGED = "damaged line of votes"
UNKNOWN_LABEL = "unknown label"
WITHOUT_ANNOTATION = "wav without an annotation"
