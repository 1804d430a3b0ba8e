"""The daemon's snapshots on disk, in the form that the lab replays.

It owns the files of a recording: their form, their names, how much of them is kept, and that nothing about them can
hurt the daemon. Off unless the configuration names a folder. Reading them is `adapters.traces`.
"""

from balancer.adapters.recording.recorder import Recorder

__all__ = ["Recorder"]
