"""What a soak does to the daemon: lost connections and replies, slow answers, ended sessions, changes, failures.

One disturbance at a time, drawn with a fixed seed. Each leaves a world in which the daemon can go on.
"""

import os
import random
import signal
import time
from collections.abc import Callable

from tests.support.vcenter import VCenterProcess

SLOW_S = 2.0
AWAY_S = 4.0
HOT_MHZ, COLD_MHZ = 2_600.0, 200.0
READS = ("RetrievePropertiesEx", "ContinueRetrievePropertiesEx", "QueryPerf")


class Disturbances:
    """The disturbances of one run; `next` does one and returns its name."""

    def __init__(self, server: VCenterProcess, *, seed: int = 1) -> None:
        self._server, self._control = server, server.control
        self._draw = random.Random(seed)
        self._resting: str | None = None
        self._every: tuple[Callable[[], None], ...] = (
            self.load_moves,
            self.load_moves,
            self.rest_a_host,
            self.rest_a_host,
            self.drop_connections,
            self.lose_replies,
            self.lose_migration_reply,
            self.answer_slowly,
            self.be_away,
            self.end_sessions,
            self.rest_a_host,
            self.fail_a_migration,
        )

    def next(self) -> str:
        """Do one thing."""
        act = self._draw.choice(self._every)
        act()
        return act.__name__.replace("_", " ")

    def load_moves(self) -> None:
        """Let the VMs of one host want much, and all others little: there is something to level."""
        hosts = self._control.state().hosts
        hot = self._draw.choice(sorted(hosts))
        for name, host in hosts.items():
            for vm in host.vms:
                self._control.set_demand(vm, cpu_mhz=HOT_MHZ if name == hot else COLD_MHZ)

    def drop_connections(self) -> None:
        """Cut the connection of some reads before they are executed."""
        self._control.drop_request(self._draw.choice(READS), times=2)

    def lose_replies(self) -> None:
        """Execute some reads and lose their replies."""
        self._control.drop_reply(self._draw.choice(READS), times=2)

    def lose_migration_reply(self) -> None:
        """Start a migration and lose the reply."""
        self._control.drop_reply("RelocateVM_Task")

    def answer_slowly(self) -> None:
        """Stand still for a while, as an overloaded server does."""
        os.kill(self._server.process_id, signal.SIGSTOP)
        try:
            time.sleep(SLOW_S)
        finally:
            os.kill(self._server.process_id, signal.SIGCONT)

    def be_away(self) -> None:
        """Break every connection, and new ones for a while."""
        self._control.outage(AWAY_S)

    def end_sessions(self) -> None:
        """End every session, as an idle time-out or a restart of the server does."""
        self._control.expire_sessions()

    def rest_a_host(self) -> None:
        """Let a host enter maintenance, or the one that rests come back."""
        if self._resting:
            self._control.set_host_state(self._resting, "connected")
            self._resting = None
            return
        self._resting = self._draw.choice(sorted(self._control.state().hosts))
        self._control.set_host_state(self._resting, "entering_maintenance")

    def fail_a_migration(self) -> None:
        """Let one migration fail half way."""
        self._control.add_fault("SystemError", times=1)
