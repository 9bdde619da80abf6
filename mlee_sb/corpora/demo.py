"""The demo corpus: generated speech of ten speakers in IEMOCAP's own layout, for a person who has no corpus at hand.

IEMOCAP's own reader reads it. `mlee_sb.demo` writes it and says how.
"""

from mlee_sb.corpora.iemocap import Iemocap


class Demo(Iemocap):
    """A release that `mlee_sb.demo.make_demo_release` wrote. No count was published for it, and all that is made from it says DEMO."""

    name = "demo"
    demo = True
    published = None
