"""The demo corpus: generated speech of ten speakers in IEMOCAP's layout, for a person who has no other corpus.

IEMOCAP's reader reads it. `mlee_sb.demo` writes it.
"""

from mlee_sb.corpora.iemocap import Iemocap


class Demo(Iemocap):
    """A release that `mlee_sb.demo.make_demo_release` wrote. It has no published counts, and everything made from it says DEMO."""

    name = "demo"
    demo = True
    published = None
