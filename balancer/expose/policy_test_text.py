"""Results of tests of policies as text, as JSON and as JUnit XML: one line for each expectation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from balancer.expose.document import Json
from balancer.expose.document import number as rounded
from balancer.expose.escape import visible
from balancer.expose.figures import counted
from balancer.expose.text_layout import Paper, Tone
from balancer.model.units import Seconds
from balancer.policy.expectation_types import Verdict

SCHEMA = "balancer/policy-test-result/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileResult:
    """What came of one test file: verdicts, or an error that kept it from being run."""

    file: str
    name: str = ""
    verdicts: tuple[Verdict, ...] = ()
    error: str = ""
    took_s: Seconds = 0.0

    @property
    def is_passed(self) -> bool:
        """Whether the test was run and every expectation is met."""
        return not self.error and all(verdict.is_met for verdict in self.verdicts)


def results_text(results: Sequence[FileResult], paper: Paper) -> str:
    """Return the results as text with a last line that counts them."""
    lines = [line for result in results for line in _lines(result, paper)]
    return "\n".join([*lines, _summary(results, paper)]) + "\n"


def _lines(result: FileResult, paper: Paper) -> Iterator[str]:
    name = f": {paper.safe(result.name)}" if result.name else ""
    yield paper.paint(f"{paper.safe(result.file)}{name}", Tone.TITLE)
    for verdict in result.verdicts:
        word = paper.paint("ok  ", Tone.GOOD) if verdict.is_met else paper.paint("FAIL", Tone.BAD)
        tail = "" if verdict.is_met else f" ({verdict.expectation.place})"
        line = f"{verdict.expected}; found: {verdict.found}{tail}"
        yield from paper.wrap(line, " " * 10, first=f"  {word}  ")
    for number, line in enumerate(result.error.splitlines()):
        word = "  " + paper.paint("ERROR", Tone.BAD) if not number else " " * 7
        yield f"{word} {paper.safe(line)}"


def _summary(results: Sequence[FileResult], paper: Paper) -> str:
    verdicts = [verdict for result in results for verdict in result.verdicts]
    unmet = sum(not verdict.is_met for verdict in verdicts)
    errors = sum(bool(result.error) for result in results)
    parts = [counted(len(results), "test"), counted(len(verdicts), "expectation")]
    parts += [f"{unmet} not met"] if unmet else []
    parts += [counted(errors, "error")] if errors else []
    is_good = not unmet and not errors
    words = ", ".join(parts) + (": all met" if is_good else "")
    return paper.paint(words, Tone.GOOD if is_good else Tone.BAD)


def results_document(results: Sequence[FileResult]) -> Json:
    """Return the results as a JSON object."""
    return {
        "schema": SCHEMA,
        "passed": all(result.is_passed for result in results),
        "tests": [_entry(result) for result in results],
    }


def _entry(result: FileResult) -> Json:
    entry: Json = {
        "file": result.file,
        "name": result.name,
        "passed": result.is_passed,
        "elapsed_seconds": rounded(result.took_s),
        "expectations": [
            {
                "kind": verdict.expectation.kind.value,
                "expected": verdict.expected,
                "found": verdict.found,
                "met": verdict.is_met,
                "where": verdict.expectation.place,
            }
            for verdict in result.verdicts
        ],
    }
    return entry | {"error": result.error} if result.error else entry


def results_junit(results: Sequence[FileResult]) -> bytes:
    """Return the results as JUnit XML: a suite for each file, a case for each expectation.

    Source: the form that CI systems read, https://github.com/testmoapp/junitxml.
    """
    suites = Element("testsuites", name="balancer policy test")
    for result in results:
        _suite(suites, result)
    indent(suites)
    xml: bytes = tostring(suites, encoding="utf-8", xml_declaration=True)
    return xml + b"\n"


def _suite(suites: Element, result: FileResult) -> None:
    unmet = sum(not verdict.is_met for verdict in result.verdicts)
    suite = SubElement(
        suites,
        "testsuite",
        name=visible(result.name or result.file),
        file=visible(result.file),
        tests=str(len(result.verdicts) or 1),
        failures=str(unmet),
        errors=str(int(bool(result.error))),
        time=f"{result.took_s:.3f}",
    )
    for verdict in result.verdicts:
        case = SubElement(
            suite, "testcase", classname=visible(result.file), name=visible(verdict.expected)
        )
        if not verdict.is_met:
            failure = SubElement(case, "failure", message=visible(verdict.found))
            failure.text = visible(f"{verdict.expectation.place}: {verdict.found}")
    if result.error:
        case = SubElement(suite, "testcase", classname=visible(result.file), name="is run")
        SubElement(case, "error", message=visible(result.error.splitlines()[0])).text = "\n".join(
            map(visible, result.error.splitlines())
        )
