"""The fixtures of the runner's tests."""

from program_mocks import clock, script

__all__ = ["clock", "script"]
