"""Modules for ONNX only: they compute the same as the readable modules, with operations and shapes that can be exported."""
