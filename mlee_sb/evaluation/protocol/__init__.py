"""The protocol check: does anything of a test set reach training?"""
