"""The joint between strict YAML and typed documents: a file in, a pydantic model or all its problems out.

Configuration and policies are read through it alike. It owns neither the syntax (`strict_yaml`) nor the
wording (`problems`), only the step that gives every problem its line, those of the shape and those that
span settings together.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from balancer.model.errors import InputError, Problem
from balancer.policy.problems import (
    Loc,
    Mistake,
    Position,
    in_file_order,
    mistakes_from,
    path_text,
    shown,
)
from balancer.policy.strict_yaml import YamlFile

Document = TypeVar("Document", bound=BaseModel)


def typed(
    file: YamlFile,
    model: type[Document],
    *,
    context: Path | None = None,
    also: Iterable[Mistake] = (),
) -> Document:
    """Read a parsed file as `model`, without converting types (text "5" is no number).

    `context` is the folder that the document's paths are relative to. `also` are mistakes that the
    model cannot see, found in the file's plain values; they are listed with those that it does see.

    Raises:
        InputError: every problem with file, line, column and the setting's path, in file order.
    """
    if not isinstance(file.data, dict):
        found = "the file is empty" if file.data is None else shown(file.data)
        raise InputError(
            file.name, (Problem(where=file.where(()), found=found, allowed="a mapping"),)
        )
    others = list(also)
    try:
        document = model.model_validate_json(json.dumps(file.data), strict=True, context=context)
    except ValidationError as err:
        mistakes = mistakes_from(err, known=lambda loc: keys_of(model, loc))
        raise InputError(file.name, _placed(file, [*mistakes, *others])) from err
    if others:
        raise InputError(file.name, _placed(file, others))
    return document


def _placed(file: YamlFile, mistakes: Iterable[Mistake]) -> tuple[Problem, ...]:
    def where(mistake: Mistake) -> tuple[Position, str]:
        position = file.position(mistake.path, at_key=mistake.at_key) or ()
        return position, place(file, mistake.path, at_key=mistake.at_key)

    return in_file_order(mistakes, where=where)


def place(file: YamlFile, loc: Loc, *, at_key: bool = False) -> str:
    """Return `file:line:column: path.of.the.setting`."""
    where, path = file.where(loc, at_key=at_key), path_text(loc)
    return f"{where}: {path}" if path else where


def keys_of(model: type[BaseModel], loc: Loc) -> tuple[str, ...]:
    """Return the keys that the mapping at `loc` of a document may have; none where it is no mapping."""
    here: type[BaseModel] | None = model
    for part in loc:
        if here is not None and isinstance(part, str):
            here = _fields(here).get(part)
    return tuple(_fields(here)) if here is not None else ()


def _fields(model: type[BaseModel]) -> dict[str, type[BaseModel] | None]:
    return {
        _key(name, info): _model_in(info.annotation) for name, info in model.model_fields.items()
    }


def _key(name: str, info: FieldInfo) -> str:
    return info.alias or name


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(argument) for argument in get_args(annotation))
    return next((model for model in found if model is not None), None)
