"""The process that plans, by itself: it answers, leaves signals to its parent, and ends with its input."""

import io
import pickle
import signal
import subprocess
import sys
from types import MappingProxyType

from balancer.adapters.planning.letters import READY, Answer, Ending, Question, packed
from balancer.adapters.solver.worker import GRACE_S
from balancer.plan import PlanSettings
from balancer.policy.types import Policy
from tests.support import planners
from tests.support.builders import host, snapshot, vm

COMMAND = (sys.executable, "-m", "balancer.adapters.planning.worker", "2048")


def question(patience_s: float = 60.0) -> Question:
    return Question(
        snapshot=snapshot([host(1), host(2)], [vm(1, 1), vm(2, 2)]),
        policy=Policy(),
        settings=PlanSettings(),
        past=None,
        in_force=None,
        unfit=None,
        patience_s=patience_s,
    )


def test_a_letter_comes_out_as_it_went_in() -> None:
    sent = question()

    received = pickle.loads(packed(sent))

    assert received == sent
    assert isinstance(received.snapshot.host_by_id, MappingProxyType)


def test_it_says_when_it_is_ready_answers_each_question_and_ends_with_its_input() -> None:
    done = subprocess.run(
        COMMAND, input=2 * packed(question()), capture_output=True, timeout=60, check=True
    )

    said = io.BytesIO(done.stdout)
    assert said.readline() == READY
    for answer in (pickle.load(said), pickle.load(said)):
        assert isinstance(answer, Answer)
        assert answer.ending is Ending.PLANNED
        assert answer.plan is not None
    assert said.read() == b""


def test_one_that_hangs_without_a_parent_is_ended_by_the_kernel() -> None:
    command = (*planners.HANG, "2048")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(packed(question(patience_s=0.1)))
        process.stdin.close()
        assert process.stdout.readline() == READY
        for ignored in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            process.send_signal(ignored)

        assert process.wait(GRACE_S + 30.0) == -signal.SIGALRM
