"""Read recordings: one reader for files, pipes and files that are open, in training, preparation and inference.

reading     open a recording, and read its samples
bytes_of    the bytes of a file, a pipe or a file that is open
layout      where the samples lie in these bytes, whatever a header says: a module for each family of formats
channels    which channels are heard
formats     what is a recording, and what is not; ffmpeg reads what libsndfile cannot
faults      samples that cannot be sound
"""
