"""Many stages in one run: the order in which they are trained, where, and each in a process of its own."""
