"""
Our techniques inside Presidio: one operator, ``masking``, for its AnonymizerEngine and for presidio-structured.

    engine = register(AnonymizerEngine())
    phone = operator("pseudonymization.keyed", key="one", keys={"one": secret})
    engine.anonymize(text, results, {"PHONE": phone, "DEFAULT": operator("synthetic.constant", {"value": "<PII>"})})

Equal values give equal results, and the same ones as a masked column under that key: joins hold, where Presidio's own
hash draws a salt and its encrypt an IV for each value. None stays None and numbers are masked as numbers, where its own
operators crash. A value that the technique refuses raises; nothing passes in clear.

presidio-structured knows the operator after ``register_everywhere()``. It writes into the given frame cell by cell, so
a column of numbers that becomes text has to be of dtype object before.

Presidio is imported with this module, and this module only by those who ask for it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from presidio_anonymizer import AnonymizerEngine
from presidio_anonymizer.entities import InvalidParamError, OperatorConfig
from presidio_anonymizer.operators import Operator, OperatorType, operators_factory

from masking.errors import UnsupportedColumn
from masking.keys import Keys, KeyUse, as_keys
from masking.techniques.base import Technique, WholeColumn, get

NAME: Final = "masking"
TECHNIQUE: Final = "technique"
"""The operator's one parameter: a technique that was built."""


def operator(
    technique: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    key: KeyUse | str | None = None,
    keys: Keys | Mapping[str, bytes] | str | Path | None = None,
) -> OperatorConfig:
    """
    Build a technique once, as the configuration of Presidio's operator ``masking``.

    ``technique`` and ``parameters`` are a policy's words; ``key`` names the key, ``keys`` hold its bytes.

    Raises:
        PolicyError: there is no such technique, a parameter is wrong, or a key is needed and not named.
        KeyMissing: the key was not given.
        UnsupportedColumn: the technique needs more than one value at a time.

    """
    made = get(technique).build(parameters or {}, attribute=NAME, key=key, keys=as_keys(keys))
    if not _alone(made):
        raise UnsupportedColumn(f"{technique} needs other columns or the whole column, which Presidio does not give")
    return OperatorConfig(NAME, {TECHNIQUE: made})


def register(engine: AnonymizerEngine) -> AnonymizerEngine:
    """Teach an engine the operator ``masking``; returns the engine."""
    engine.add_anonymizer(Masking)
    return engine


def register_everywhere() -> None:
    """Put ``masking`` among Presidio's predefined operators: every engine made later knows it in this process.

    presidio-structured needs it, for it makes its operators by itself and takes none.
    """
    if Masking not in operators_factory.ANONYMIZERS:
        operators_factory.ANONYMIZERS.append(Masking)


class Masking(Operator):
    """Masks one value, a span of a text or a cell, by a technique of ours."""

    def operate(self, text: Any = None, params: dict[str, Any] | None = None) -> Any:
        """
        Return the masked value: text for text, whatever the technique gives for other cells.

        None, NaN and NaT are null, and null stays None unless the technique fills it. A text that the technique
        empties becomes the empty text.

        Raises:
            DataError: the value is outside what the technique accepts; the message does not hold it.

        """
        self.validate(params)  # presidio-structured does not
        made: Technique = (params or {})[TECHNIQUE]
        masked = made.apply(_column(text))[0].as_py()
        if not isinstance(text, str):
            return masked
        return "" if masked is None else str(masked)

    def validate(self, params: dict[str, Any] | None = None) -> None:
        """Raise ``InvalidParamError`` unless the parameter is a technique that works on one value."""
        made = (params or {}).get(TECHNIQUE)
        if not isinstance(made, Technique) or not _alone(made):
            raise InvalidParamError(f"make the operator {NAME!r} by masking.techniques.presidio.operator(...)")

    def operator_name(self) -> str:
        """``masking``."""
        return NAME

    def operator_type(self) -> OperatorType:
        """It anonymizes."""
        return OperatorType.Anonymize


def _alone(made: Technique) -> bool:
    return not made.context() and not isinstance(made, WholeColumn)


def _column(value: Any) -> pa.Array:
    """A column of one value; what Arrow does not know is refused without its message, which quotes the value."""
    try:
        return pa.array([value], from_pandas=True)
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        pass  # raised below, where no exception is being handled that it would carry along
    raise UnsupportedColumn(f"a cell of type {type(value).__name__} cannot be masked")
