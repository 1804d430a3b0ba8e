"""A port for a program that must be told one, as it cannot be asked afterwards which it has taken."""

import random
import socket

_DEALT_OUT = range(16_384, 32_768)
"""Below the ports that the kernel gives to connections and to whoever asks for any port: between this question and
the program's start, nobody who did not ask for that very port gets it.
Source: Linux, ip-sysctl, `ip_local_port_range` (32768 to 60999).
"""


def free_port() -> int:
    """Return a TCP port of this machine that nobody listens on; another one for each of many who ask at a time."""
    chance = random.SystemRandom()
    while True:
        port = chance.choice(_DEALT_OUT)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:  # it is taken
            continue
