"""A selector as it is written down: which VMs or hosts are meant. An empty one is an error, never "all"."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from balancer.policy.pattern import LONGEST_PATTERN, compiled
from balancer.policy.selector import Selector, Size


class DocumentPart(BaseModel):
    """A mapping of a policy document: unknown keys refused, no type converted, nothing not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _listed(value: object) -> object:
    """Take a single text as a list of one: what runs before a strict tuple must return a tuple."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _is_silent(part: DocumentPart) -> bool:
    """Whether nothing is given, or something as null: what says nothing must never mean everything."""
    given = part.model_fields_set
    return not given or any(getattr(part, key) is None for key in given)


def _regex(text: str) -> str:
    compiled(text)
    return text


Word = Annotated[str, Field(min_length=1, max_length=LONGEST_PATTERN)]
Words = Annotated[
    Annotated[tuple[Word, ...], Field(min_length=1, max_length=10_000)],
    BeforeValidator(
        _listed,
        json_schema_input_type=Word | Annotated[list[Word], Field(min_length=1, max_length=10_000)],
    ),
]
Regexes = Annotated[
    Annotated[
        tuple[Annotated[Word, AfterValidator(_regex)], ...], Field(min_length=1, max_length=100)
    ],
    BeforeValidator(
        _listed,
        json_schema_input_type=Word | Annotated[list[Word], Field(min_length=1, max_length=100)],
    ),
]
AtLeastOne = Annotated[int, Field(ge=1, le=1_000_000_000)]


class SizeDocument(DocumentPart):
    """Bounds of a VM's configured size, both ends included."""

    vcpus_at_least: AtLeastOne | None = Field(default=None, description="Number of vCPUs.")
    vcpus_at_most: AtLeastOne | None = Field(default=None, description="Number of vCPUs.")
    memory_mib_at_least: AtLeastOne | None = Field(default=None, description="MiB.")
    memory_mib_at_most: AtLeastOne | None = Field(default=None, description="MiB.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if _is_silent(self):
            raise ValueError(
                f"at least one of {', '.join(type(self).model_fields)}, none of them null"
            )
        return self

    def value(self) -> Size:
        """Return the values that the program works with."""
        return Size(**self.model_dump())


class SelectorDocument(DocumentPart):
    """Which VMs or hosts are meant: every part that is given must hold; of a list, one entry is enough."""

    name: Words | None = Field(default=None, description="Exact names.")
    glob: Words | None = Field(default=None, description="Patterns of names with *, ? and [...].")
    regex: Regexes | None = Field(
        default=None, description="Regular expressions (RE2 syntax) that the whole name must match."
    )
    folder: Words | None = Field(
        default=None, description="VM folders by path, such as prod/web, with all below them."
    )
    resource_pool: Words | None = Field(
        default=None, description="Resource pools by name, with all below them."
    )
    tag: Words | None = Field(
        default=None, description="vSphere tags as category:name; * and ? allowed."
    )
    attribute: Annotated[dict[Word, str], Field(min_length=1)] | None = Field(
        default=None,
        description="Custom attributes by name, each with a value; * and ? allowed in it.",
    )
    guest_os: Words | None = Field(
        default=None, description="Guest systems by vSphere's identifier; * and ? allowed."
    )
    group: Words | None = Field(default=None, description="VM groups or host groups by name.")
    size: SizeDocument | None = Field(default=None, description="Configured size of a VM.")
    all: Annotated[tuple["SelectorDocument", ...], Field(min_length=1)] | None = Field(
        default=None, description="Selectors that must all hold."
    )
    any: Annotated[tuple["SelectorDocument", ...], Field(min_length=1)] | None = Field(
        default=None, description="Selectors of which one must hold."
    )
    not_: "SelectorDocument | None" = Field(
        default=None, alias="not", description="A selector that must not hold."
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if _is_silent(self):
            raise ValueError('a selector that says something, without null; glob: "*" for all')
        return self

    def value(self) -> Selector:
        """Return the values that the program works with."""
        return Selector(
            names=self.name or (),
            globs=self.glob or (),
            regexes=self.regex or (),
            folders=self.folder or (),
            pools=self.resource_pool or (),
            tags=self.tag or (),
            attributes=tuple(sorted((self.attribute or {}).items())),
            guest_os=self.guest_os or (),
            groups=self.group or (),
            size=self.size.value() if self.size else None,
            every=tuple(part.value() for part in self.all or ()),
            some=tuple(part.value() for part in self.any or ()),
            none_of=self.not_.value() if self.not_ else None,
        )


HOST_PARTS = ("name", "glob", "regex", "tag", "group", "all", "any", "not")
"""The parts of a selector that say something of hosts."""
