"""Replay of recorded load: planners, policies and settings judged by the cycle that runs in production."""
