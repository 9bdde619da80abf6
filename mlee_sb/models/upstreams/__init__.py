"""The networks of pretrained speech encoders, and how they are read from a folder."""
