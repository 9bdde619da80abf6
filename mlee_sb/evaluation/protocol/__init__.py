"""The protocol check: did anything of a test set reach training?"""
