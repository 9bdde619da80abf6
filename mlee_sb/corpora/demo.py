"""The demo corpus: generated speech of ten speakers in IEMOCAP's own layout, for who has no corpus at hand.

It is read by IEMOCAP's own reader. `make_demo_release` writes it; see `mlee_sb.corpora.demo_release` for how.
"""

from mlee_sb.corpora.demo_release import make_demo_release
from mlee_sb.corpora.iemocap import Iemocap

__all__ = ["Demo", "make_demo_release"]


class Demo(Iemocap):
    """A release that `make_demo_release` wrote. No count was published for it, and everything made from it says DEMO."""

    name = "demo"
    demo = True
    published = None
