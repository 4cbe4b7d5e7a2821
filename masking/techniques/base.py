"""
What a technique is: a registered name, a frozen dataclass of typed parameters, one method over a column.

``Technique.apply`` keeps the contract (length, nulls, declared type); the author of a technique fills ``_apply``.
Parameters come from the policy by name; an unknown one, a missing one or one of the wrong type is refused with the
nearest known name.
"""

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar, Union

import pyarrow as pa

from masking.errors import (
    DataError,
    InvalidParameter,
    InvalidValue,
    UnkeyedToken,
    UnknownTechnique,
    UnsupportedColumn,
    suggestion,
)
from masking.keys import Keys, KeyUse, MappingKeys, derived

Context = Mapping[str, pa.Array]
"""Other raw columns of the same records, by name."""
NO_CONTEXT: Context = types.MappingProxyType({})
Returned = TypeVar("Returned")


@dataclass(frozen=True, slots=True)
class Example:
    """One drawn example of a technique: it is a test and a row of docs/techniques.md at once."""

    parameters: Mapping[str, Any]
    given: tuple[Any, ...]
    expected: tuple[Any, ...]
    note: str
    type: str | None = None  # an Arrow type alias for ``given`` where Python values do not decide it
    context: Mapping[str, tuple[Any, ...]] = dataclasses.field(default_factory=dict)  # other columns; "record" is ids


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a technique, for documents, forms and the JSON Schema."""

    name: str
    type: Any
    required: bool
    default: Any


@dataclass(frozen=True)
class Technique:
    """
    One way of de-identifying one column.

    Class attributes: ``name`` and ``family`` (ISO/IEC 20889), ``needs_key``, ``releases`` ("value": what comes out
    still tells about the value, "token": only equality of values can be seen, "nothing": nothing of the value comes
    out), ``randomized`` (draws once for each record, under a key that all editions share; see
    ``masking.techniques.draws``), ``holds_gil`` (plain Python, so that several cores need several processes), ``spec``
    (examples).

    The author fills ``_apply``, or ``_masked`` where the technique reads other columns (``context``) or replaces
    values outside its format.
    """

    name: ClassVar[str] = ""
    family: ClassVar[str] = ""
    needs_key: ClassVar[bool] = False
    randomized: ClassVar[bool] = False
    releases: ClassVar[str] = "value"
    holds_gil: ClassVar[bool] = False
    spec: ClassVar[tuple[Example, ...]] = ()

    def apply(self, column: pa.Array | pa.ChunkedArray, context: Context = NO_CONTEXT) -> pa.Array:
        """
        Return the masked column: same length, null where it was null, of type ``output_type(column.type)``.

        ``context`` holds the raw columns that ``self.context()`` names, of the same records.

        Raises:
            UnsupportedColumn: the technique does not work on this type.
            InvalidValue: values are outside the declared format; their positions are given, the values are not.
        """
        return self.apply_counted(column, context)[0]

    def apply_counted(self, column: pa.Array | pa.ChunkedArray, context: Context = NO_CONTEXT) -> tuple[pa.Array, int]:
        """Do what ``apply`` does; also return how many values were replaced because they are outside the format."""
        given = _plain(column)
        expected = self.output_type(given.type)
        others = {name: _plain(context[name]) for name in self.context()}
        masked, rejects = self._guarded(self._masked, given, others)
        if masked.type != expected or len(masked) != len(given) or not self._nulls_kept(given, masked):
            raise AssertionError(f"{self.name} broke its contract of length, nulls or type")
        return masked, rejects

    def context(self) -> tuple[str, ...]:
        """Names of the other raw columns that it reads, in order."""
        return ()

    def parts(self) -> tuple[str, ...]:
        """Names of the parts that ``derived`` gives."""
        return ()

    def derived(self, column: pa.Array | pa.ChunkedArray) -> Mapping[str, pa.Array]:  # noqa: ARG002
        """Parts of the raw values that stay legible in the output, by name: derived quasi-identifiers (PRIVACY 2)."""
        return {}

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Return the type that comes out of a column of type ``given``, or raise ``UnsupportedColumn``."""
        return given

    def _guarded(self, method: Callable[[pa.Array, Context], Returned], column: pa.Array, context: Context) -> Returned:
        """Call ``method``; a library's message may quote a cell, so it is dropped together with its chain."""
        try:
            return method(column, context)
        except (DataError, InvalidParameter) as error:
            error.__context__ = None
            raise
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            pass  # raised below, where no exception is being handled that it would carry along
        raise UnsupportedColumn(f"{self.name} failed on a column of type {column.type}")

    def _masked(self, column: pa.Array, context: Context) -> tuple[pa.Array, int]:  # noqa: ARG002
        """Mask a column without dictionary encoding and count the values outside the format."""
        return self._apply(column), 0

    def _apply(self, column: pa.Array) -> pa.Array:
        """Mask a column without dictionary encoding."""
        raise NotImplementedError(f"{type(self).__name__} fills neither _apply nor _masked")

    def _nulls_kept(self, given: pa.Array, masked: pa.Array) -> bool:
        return masked.null_count == given.null_count

    @classmethod
    def build(
        cls,
        parameters: Mapping[str, Any],
        *,
        attribute: str,
        key: KeyUse | str | None = None,
        keys: Keys | None = None,
        files: Path | None = None,
        record: tuple[str, ...] = (),
    ) -> "Technique":
        """
        Make the technique from a policy's rule.

        ``key`` is the name in the policy, ``keys`` gives its bytes; ``files`` is the only folder that parameters may
        read from; ``record`` names the columns that tell records apart, for techniques that draw once for each record.

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
                # One record's draws for two attributes must not be the same: one true value would tell the other.
                own = f"{cls.name}/{attribute}" if cls.randomized and cls.per_record() else cls.name
                values["secret"] = derived(keys, key, technique=own, for_records=cls.randomized)
            elif key is not None:
                raise InvalidParameter(f"{cls.name} uses no key", parameter="key")  # noqa: TRY301
            if cls.per_record():
                if not record:
                    raise InvalidParameter(  # noqa: TRY301
                        f"{cls.name} works on each record by itself: name the columns that tell records apart, "
                        "`record: [column]` beside `attributes:`",
                        parameter="record",
                    )
                values["record"] = tuple(record)
            return cls._made(values, files)
        except (InvalidParameter, UnsupportedColumn) as error:
            raise error.of(attribute) from None

    @classmethod
    def check(
        cls,
        parameters: Mapping[str, Any],
        *,
        attribute: str,
        key: KeyUse | str | None = None,
        files: Path | None = None,
        record: tuple[str, ...] = (),
    ) -> "Technique":
        """Check a rule without its key: raises what ``build`` raises, except for the key's bytes."""
        keys = _NoKeys() if cls.needs_key else None
        return cls.build(parameters, attribute=attribute, key=key, keys=keys, files=files, record=record)

    @classmethod
    def parameters(cls) -> tuple[Parameter, ...]:
        """The parameters that a policy may give, in order."""
        known: Any = cls  # a class is hashable; mypy asks its instances
        return _parameters(known)

    @classmethod
    def per_record(cls) -> bool:
        """True if it finds records by the policy's ``record`` columns (it has a ``record_field``)."""
        return any(field.name == "record" and field.metadata.get("internal") for field in dataclasses.fields(cls))

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


def record_field() -> Any:
    """A field for the names of the columns that tell records apart: given by the policy once, not by each rule."""
    return dataclasses.field(metadata={"internal": True}, kw_only=True)


class WholeColumn(Technique):
    """
    A technique whose output for one record depends on all records: permutation, rank swapping, microaggregation.

    ``fit`` sees the whole column (and its context) once and returns a fitted copy, which then masks any part of the
    table by itself: it finds a record by the hash of its ``record`` columns, so order and batches do not matter.
    Before ``fit``, ``apply`` refuses.
    """

    def fit(self, column: pa.Array | pa.ChunkedArray, context: Context) -> "WholeColumn":
        """
        Return a copy that knows every record's output. Memory: 8 bytes and one value a record.

        Raises:
            UnsupportedColumn: the technique does not work on this type.
            InvalidValue: values that it cannot use, or records that ``record`` does not tell apart.

        """
        given = _plain(column)
        self.output_type(given.type)
        return self._guarded(self._fitted, given, {name: _plain(context[name]) for name in self.context()})

    def _fitted(self, column: pa.Array, context: Context) -> "WholeColumn":
        """Do ``fit`` on columns without dictionary encoding."""
        raise NotImplementedError(f"{type(self).__name__} fills no _fitted")


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
    record = ("record",) if cls.per_record() else ()
    made = cls.build(example.parameters, attribute="example", key=key, keys=keys, record=record)
    given = column(list(example.given), None if example.type is None else pa.type_for_alias(example.type))
    context = {name: column(list(values)) for name, values in example.context.items()}
    context.setdefault("record", column(list(range(len(given)))))
    if isinstance(made, WholeColumn):
        made = made.fit(given, context)
    return made.apply(given, context).to_pylist()


class _NoKeys:
    """Stands in for keys when only the policy is checked; its bytes mask nothing."""

    def get(self, name: str, /) -> bytes:
        return bytes(32) if name else b""


@functools.cache
def _parameters(cls: Any) -> tuple[Parameter, ...]:
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


def _plain(given: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(given, pa.ChunkedArray):
        if not given.num_chunks:
            return _plain(pa.nulls(0, given.type))
        given = given.combine_chunks() if given.num_chunks > 1 else given.chunk(0)
        if isinstance(given, pa.ChunkedArray):  # combine_chunks of an oversized column may stay chunked
            given = pa.concat_arrays(given.chunks)
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
    if isinstance(wanted, types.UnionType):
        return " or ".join(_type_name(each) for each in typing.get_args(wanted))
    if typing.get_origin(wanted) is tuple:
        return f"a list of {_type_name(typing.get_args(wanted)[0])}"
    simple = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    return simple.get(wanted, "a mapping")


__all__ = [
    "NO_CONTEXT",
    "Context",
    "Example",
    "InvalidValue",
    "Parameter",
    "Technique",
    "WholeColumn",
    "column",
    "get",
    "names",
    "record_field",
    "run_example",
    "secret_field",
    "technique",
]
