"""The demo release: generated speech and simulated listeners, for everybody without asking anybody.

The steps to an utterance, each a module:

    emotions    a latent mixture of emotions, each to some degree
    annotators  three of six simulated listeners perceive the mixture, each in their own way, and vote (one hears anger nearly everywhere)
    speakers    who speaks: pitch, vocal tract, tempo, expressiveness
    prosody     the mixture and the speaker decide on pitch, tempo, energy, tilt, breathiness
    phones      syllables of no language, as formants over time
    voice       the WORLD vocoder makes a waveform of all of these
    plan        who says what, when, in which dialog
    release     the folder in IEMOCAP's layout

Such a corpus shows that the software works. It shows nothing about people, and not which method is better.
"""

from mlee_sb.demo.release import make_demo_release

__all__ = ["make_demo_release"]
