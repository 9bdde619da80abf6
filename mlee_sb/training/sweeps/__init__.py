"""Many stages in one run: their order, where they are trained, and a process for each of them."""
