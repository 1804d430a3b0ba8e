"""A mail relay on a port of this machine: as much of SMTP as the program speaks, with TLS and a login."""

import base64
import socket
import ssl
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from io import BufferedRWPair

from tests.support.listener import Listener


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """One message as it was handed over: envelope, bytes, who had logged in, and whether over TLS."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    login: str
    is_private: bool


class Relay(Listener):
    """Takes every message. `refuse` gives the answer to a command (its first word) instead of a yes.

    Source: RFC 5321 (commands and codes), RFC 3207 (STARTTLS), RFC 4954 (AUTH PLAIN).
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        starts_private: bool = False,
        refuse: dict[str, str] | None = None,
    ) -> None:
        self.posted: list[Posted] = []
        self._tls = tls
        self._starts_private = starts_private
        self._refuse = refuse or {}
        super().__init__()

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(10)
        with client, ExitStack() as opened, suppress(OSError):
            _Talk(self, self._tls, self._refuse, opened).hold(client, self._starts_private)


class _Talk:
    def __init__(
        self, relay: Relay, tls: ssl.SSLContext | None, refuse: dict[str, str], opened: ExitStack
    ) -> None:
        self._relay, self._tls, self._refuse, self._all = relay, tls, refuse, opened
        self._sender, self._recipients, self._login = "", list[str](), ""
        self._is_private = False

    def hold(self, client: socket.socket, starts_private: bool) -> None:
        """Hold the talk on one connection to its end."""
        wire = self._private(client) if starts_private else client
        stream = self._opened(wire)
        self._say(stream, "220 relay.test ready")
        while line := stream.readline().decode("ascii").rstrip("\r\n"):
            word, _, rest = line.partition(" ")
            word = word.upper()
            if word in self._refuse:
                self._say(stream, self._refuse[word])
            elif word == "STARTTLS" and self._tls:
                self._say(stream, "220 go ahead")
                stream = self._opened(self._private(wire))
            elif word == "QUIT":
                self._say(stream, "221 bye")
                return
            else:
                self._answer(stream, word, rest)

    def _private(self, client: socket.socket) -> ssl.SSLSocket:
        assert self._tls
        self._is_private = True
        return self._all.enter_context(self._tls.wrap_socket(client, server_side=True))

    def _opened(self, wire: socket.socket) -> BufferedRWPair:
        return self._all.enter_context(wire.makefile("rwb"))

    def _answer(self, stream: BufferedRWPair, word: str, rest: str) -> None:
        match word:
            case "EHLO":
                offers = ["AUTH PLAIN"] if self._is_private else ["STARTTLS"] if self._tls else []
                lines = ["relay.test", *offers]
                told = [f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]
                self._say(stream, "\r\n".join(told))
            case "AUTH":
                login = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")
                self._login = ":".join(login[1:])
                self._say(stream, "235 welcome")
            case "MAIL":
                self._sender = rest[len("FROM:") :].split(maxsplit=1)[0].strip("<>")
                self._say(stream, "250 ok")
            case "RCPT":
                self._recipients.append(rest[len("TO:") :].strip("<>"))
                self._say(stream, "250 ok")
            case "DATA":
                self._take(stream)
            case _:
                self._say(stream, "250 ok")

    def _take(self, stream: BufferedRWPair) -> None:
        self._say(stream, "354 go on")
        lines: list[bytes] = []
        while (line := stream.readline()) != b".\r\n":
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        self._relay.posted.append(
            Posted(
                sender=self._sender,
                recipients=tuple(self._recipients),
                content=b"".join(lines),
                login=self._login,
                is_private=self._is_private,
            )
        )
        self._say(stream, "250 taken")

    def _say(self, stream: BufferedRWPair, text: str) -> None:
        stream.write(text.encode() + b"\r\n")
        stream.flush()
