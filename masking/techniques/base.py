"""
What a technique is: a registered name, a frozen dataclass of typed parameters, one method over a column.

``Technique.apply`` keeps the contract (length, nulls, declared type); the author of a technique fills ``_apply``.
Parameters come from the policy by name; an unknown one, a missing one or one of the wrong type is refused with the
nearest known name.
"""

import dataclasses
import math
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar, Union

import pyarrow as pa

from masking.errors import (
    DataError,
    InvalidParameter,
    InvalidValue,
    KeyMissing,
    UnkeyedToken,
    UnknownTechnique,
    UnsupportedColumn,
    suggestion,
)
from masking.keys import Keys, MappingKeys, derive


@dataclass(frozen=True, slots=True)
class Example:
    """One drawn example of a technique: it is a test and a row of docs/techniques.md at once."""

    parameters: Mapping[str, Any]
    given: tuple[Any, ...]
    expected: tuple[Any, ...]
    note: str
    type: str | None = None  # an Arrow type alias for ``given`` where Python values do not decide it


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a technique, for documents, forms and the JSON Schema."""

    name: str
    type: Any
    required: bool
    default: Any


@dataclass(frozen=True)
class Technique(ABC):
    """
    One way of de-identifying one column.

    Class attributes: ``name`` and ``family`` (ISO/IEC 20889), ``needs_key``, ``releases`` ("value": what comes out
    still tells about the value, "token": only equality of values can be seen, "nothing": no column comes out), ``spec``
    (examples).
    """

    name: ClassVar[str] = ""
    family: ClassVar[str] = ""
    needs_key: ClassVar[bool] = False
    releases: ClassVar[str] = "value"
    spec: ClassVar[tuple[Example, ...]] = ()

    def apply(self, column: pa.Array | pa.ChunkedArray) -> pa.Array:
        """
        Return the masked column: same length, null where it was null, of type ``output_type(column.type)``.

        Raises:
            UnsupportedColumn: the technique does not work on this type.
            InvalidValue: values are outside the declared format; their positions are given, the values are not.
        """
        given = _plain(column)
        expected = self.output_type(given.type)
        try:
            masked = self._apply(given)
        except (DataError, InvalidParameter):
            raise
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            # The library's message may quote a cell: it is dropped together with its chain.
            raise UnsupportedColumn(f"{self.name} failed on a column of type {given.type}") from None
        if masked.type != expected or len(masked) != len(given) or not self._nulls_kept(given, masked):
            raise AssertionError(f"{self.name} broke its contract of length, nulls or type")
        return masked

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Return the type that comes out of a column of type ``given``, or raise ``UnsupportedColumn``."""
        return given

    @abstractmethod
    def _apply(self, column: pa.Array) -> pa.Array:
        """Mask a column without dictionary encoding."""

    def rejects(self, column: pa.Array) -> int:  # noqa: ARG002
        """Count the values that ``apply`` replaces because they are outside the declared format."""
        return 0

    def _nulls_kept(self, given: pa.Array, masked: pa.Array) -> bool:
        return masked.null_count == given.null_count

    @classmethod
    def build(
        cls,
        parameters: Mapping[str, Any],
        *,
        attribute: str,
        key: str | None = None,
        keys: Keys | None = None,
        files: Path | None = None,
    ) -> "Technique":
        """
        Make the technique from a policy's rule.

        ``key`` is the name in the policy, ``keys`` gives its bytes; ``files`` is the only folder that parameters may
        read from.

        Raises:
            InvalidParameter: a parameter is unknown, missing, of the wrong type or outside its interval.
            UnkeyedToken: the technique needs a key and the rule names none.
            KeyMissing: the key that the rule names was not given.
        """
        values = cls._typed(parameters, attribute)
        try:
            if cls.needs_key:
                if not key:
                    raise UnkeyedToken.from_attribute(attribute, cls.name)
                if keys is None:
                    raise KeyMissing.from_name(key)
                values["secret"] = derive(keys.get(key), domain=key, technique=cls.name)
            elif key is not None:
                raise InvalidParameter(f"{cls.name} uses no key", parameter="key")  # noqa: TRY301
            return cls._made(values, files)
        except (InvalidParameter, UnsupportedColumn) as error:
            raise error.of(attribute) from None

    @classmethod
    def check(
        cls, parameters: Mapping[str, Any], *, attribute: str, key: str | None = None, files: Path | None = None
    ) -> "Technique":
        """Check a rule without its key: raises what ``build`` raises, except for the key's bytes."""
        return cls.build(
            parameters, attribute=attribute, key=key, keys=_NoKeys() if cls.needs_key else None, files=files
        )

    @classmethod
    def parameters(cls) -> tuple[Parameter, ...]:
        """The parameters that a policy may give, in order."""
        hints = typing.get_type_hints(cls)
        return tuple(
            Parameter(
                field.name,
                hints[field.name],
                field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
                None if field.default is dataclasses.MISSING else field.default,
            )
            for field in dataclasses.fields(cls)
            if field.init and not field.metadata.get("internal")
        )

    @classmethod
    def _made(cls, values: dict[str, Any], files: Path | None) -> "Technique":  # noqa: ARG003  (hierarchy reads files)
        return cls(**values)

    @classmethod
    def _typed(cls, parameters: Mapping[str, Any], attribute: str) -> dict[str, Any]:
        known = {parameter.name: parameter for parameter in cls.parameters()}
        for name in parameters:
            if name not in known:
                hint = suggestion(str(name), known) or f"; it has {sorted(known)}"
                raise InvalidParameter(
                    f"{cls.name} has no parameter {name!r}{hint}", parameter=str(name), attribute=attribute
                )
        missing = [name for name, parameter in known.items() if parameter.required and name not in parameters]
        if missing:
            raise InvalidParameter(f"{cls.name} needs {missing}", parameter=missing[0], attribute=attribute)
        return {name: _converted(cls.name, known[name], value, attribute) for name, value in parameters.items()}


def secret_field() -> Any:
    """A field for derived key bytes: never shown, never compared, never given by a policy."""
    return dataclasses.field(repr=False, compare=False, metadata={"internal": True}, kw_only=True)


TechniqueType = TypeVar("TechniqueType", bound=type[Technique])
_REGISTRY: dict[str, type[Technique]] = {}


def technique(name: str) -> Callable[[TechniqueType], TechniqueType]:
    """Register a technique under its name in policies: ``family.word`` (or one word)."""

    def register(cls: TechniqueType) -> TechniqueType:
        if name in _REGISTRY and _REGISTRY[name].__qualname__ != cls.__qualname__:
            raise ValueError(f"technique {name!r} is registered twice")
        cls.name = name
        cls.family = cls.family or name.split(".", maxsplit=1)[0]
        _REGISTRY[name] = cls
        return cls

    return register


def get(name: str) -> type[Technique]:
    """Return the technique of that name, or raise ``UnknownTechnique`` with the nearest one."""
    try:
        return _REGISTRY[name]
    except (KeyError, TypeError):
        raise UnknownTechnique.from_name(str(name), _REGISTRY) from None


def names() -> tuple[str, ...]:
    """Names of all registered techniques, sorted."""
    return tuple(sorted(_REGISTRY))


def column(values: list[Any], type: pa.DataType | None = None) -> pa.Array:
    """Make a column from Python values: for examples and tests."""
    return pa.array(values, type=type)


EXAMPLE_KEY = "example"


def run_example(cls: type[Technique], example: Example) -> list[Any]:
    """Return what ``cls`` makes of an example; keyed techniques use the published key of 32 bytes 0, 1, 2 …"""
    key = EXAMPLE_KEY if cls.needs_key else None
    keys = MappingKeys({EXAMPLE_KEY: bytes(range(32))})
    made = cls.build(example.parameters, attribute="example", key=key, keys=keys)
    given = column(list(example.given), None if example.type is None else pa.type_for_alias(example.type))
    return made.apply(given).to_pylist()


class _NoKeys:
    """Stands in for keys when only the policy is checked; its bytes mask nothing."""

    def get(self, name: str, /) -> bytes:
        return bytes(32) if name else b""


def _plain(given: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(given, pa.ChunkedArray):
        given = given.combine_chunks() if given.num_chunks != 1 else given.chunk(0)
        if isinstance(given, pa.ChunkedArray):  # combine_chunks of an empty or oversized column may stay chunked
            given = pa.concat_arrays(given.chunks) if given.num_chunks else pa.array([], type=given.type)
    if pa.types.is_dictionary(given.type):
        given = given.dictionary_decode()
    return given


def _converted(technique_name: str, parameter: Parameter, value: Any, attribute: str) -> Any:
    """Return ``value`` in the parameter's type; YAML gives lists for tuples and integers for floats."""
    for wanted in _alternatives(parameter.type):
        converted = _as(wanted, value)
        if converted is not _REFUSED:
            return converted
    wanted_names = " or ".join(_type_name(wanted) for wanted in _alternatives(parameter.type))
    raise InvalidParameter(
        f"{technique_name}: {parameter.name} must be {wanted_names}, not {type(value).__name__}",
        parameter=parameter.name,
        attribute=attribute,
    )


_REFUSED = object()


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in (Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def _as(wanted: Any, value: Any) -> Any:
    origin = typing.get_origin(wanted)
    if wanted is type(None):
        return None if value is None else _REFUSED
    if origin is typing.Literal:
        return value if value in typing.get_args(wanted) else _REFUSED
    if wanted is bool:
        return value if isinstance(value, bool) else _REFUSED
    if wanted is int:
        return value if isinstance(value, int) and not isinstance(value, bool) else _REFUSED
    if wanted is float:
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return value if number else _REFUSED
    if wanted is str:
        return value if isinstance(value, str) else _REFUSED
    if origin is tuple:
        if not isinstance(value, list | tuple):
            return _REFUSED
        items = tuple(_as(typing.get_args(wanted)[0], item) for item in value)
        return _REFUSED if any(item is _REFUSED for item in items) else items
    if origin in (dict, Mapping) or wanted in (dict, Mapping) or origin is typing.get_origin(Mapping[str, Any]):
        return dict(value) if isinstance(value, Mapping) else _REFUSED
    return value if isinstance(value, wanted) else _REFUSED


def _type_name(wanted: Any) -> str:
    if wanted is type(None):
        return "nothing"
    if typing.get_origin(wanted) is typing.Literal:
        return " or ".join(repr(choice) for choice in typing.get_args(wanted))
    if typing.get_origin(wanted) is tuple:
        return f"a list of {_type_name(typing.get_args(wanted)[0])}"
    simple = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    return simple.get(wanted, "a mapping")


__all__ = [
    "Example",
    "InvalidValue",
    "Parameter",
    "Technique",
    "column",
    "get",
    "names",
    "run_example",
    "secret_field",
    "technique",
]
