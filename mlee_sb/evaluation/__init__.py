"""Predictions become scores with intervals, a protocol check and a report; without torch."""
