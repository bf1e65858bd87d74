"""The fixtures of the runner's tests."""

from tests.programs.program_mocks import clock, script

__all__ = ["clock", "script"]
