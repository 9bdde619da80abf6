"""The version of the package. (A file of its own: `mlee_sb/__init__.py` stands on top of all others.)"""

__version__ = "0.6.0"
