"""What a good student writes from the paper: plain, right, and nothing made fast. The benchmarks are held against it."""
