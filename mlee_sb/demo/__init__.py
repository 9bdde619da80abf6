"""The demo release: speech and listeners that nobody has to ask for.

How an utterance comes about, each step a module:

    emotions    a latent mixture of emotions: graded, as people are
    annotators  three of six simulated listeners perceive the mixture, each in their own way, and vote
    speakers    who speaks: pitch, vocal tract, tempo, expressiveness
    prosody     the mixture and the speaker decide on pitch, tempo, energy, tilt, breathiness
    phones      syllables of no language, as formants over time
    voice       all of these through the WORLD vocoder: a waveform
    plan        who says what, when, in which dialog
    release     the folder in IEMOCAP's layout

Such a corpus shows that the machine turns. It shows nothing about people, nor which method is better.
"""

from mlee_sb.demo.release import make_demo_release

__all__ = ["make_demo_release"]
