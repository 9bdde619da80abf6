"""What only ONNX needs: modules that compute what the readable ones compute, in operations and shapes that can be exported."""
