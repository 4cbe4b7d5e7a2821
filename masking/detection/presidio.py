"""The detector inside Presidio's analyzer, for those who build on that framework. Imported only when asked for.

The language pipeline is ``spacy.blank("zh")``: it splits characters and knows nothing, so no model is loaded and none
is ever fetched. Presidio's own engine would map ``zh`` to a package name that a stranger registered; it is never used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine

from masking.detection.detector import FOUND, Detector

LANGUAGE: Final = "zh"


def analyzer() -> AnalyzerEngine:
    """An analyzer whose only recognizer is ours and whose pipeline is blank.

    >>> [r.entity_type for r in analyzer().analyze("电话13800000000", language="zh")]
    ['PHONE']
    """
    registry = RecognizerRegistry(recognizers=[ChineseIdentifiers()], supported_languages=[LANGUAGE])
    return AnalyzerEngine(registry=registry, nlp_engine=BlankEngine(), supported_languages=[LANGUAGE])


class BlankEngine(NlpEngine):
    """An NlpEngine over ``spacy.blank("zh")``: tokens without entities, no model."""

    def __init__(self) -> None:
        self._pipeline: Any = None

    def load(self) -> None:
        """Make the blank pipeline; reads nothing from disk or network."""
        import spacy

        self._pipeline = spacy.blank(LANGUAGE)

    def is_loaded(self) -> bool:
        """True after ``load``."""
        return self._pipeline is not None

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        """Tokens of the text; entities are none."""
        if not self.is_loaded():
            self.load()
        tokens = self._pipeline(text)
        return NlpArtifacts(
            entities=[],
            tokens=tokens,
            tokens_indices=[token.idx for token in tokens],
            lemmas=[token.text for token in tokens],
            nlp_engine=self,
            language=language,
            scores=[],
        )

    def process_batch(
        self,
        texts: Any,
        language: str,
        batch_size: int = 1,
        n_process: int = 1,
        **_: Any,
    ) -> Iterator[tuple[str, NlpArtifacts]]:
        """``process_text`` of each text; sizes are ignored, there is no model to feed."""
        del batch_size, n_process
        for text in texts:
            yield text, self.process_text(text, language)

    def is_stopword(self, word: str, language: str) -> bool:
        """No stop words."""
        del word, language
        return False

    def is_punct(self, word: str, language: str) -> bool:
        """True if the word has no letter, digit or Chinese character."""
        del language
        return not any(c.isalnum() for c in word)

    def get_supported_entities(self) -> list[str]:
        """None: the pipeline is blank."""
        return []

    def get_supported_languages(self) -> list[str]:
        """Chinese."""
        return [LANGUAGE]


class ChineseIdentifiers(EntityRecognizer):
    """All types of ``Detector`` as one recognizer: overlaps between types are resolved before Presidio sees them."""

    def __init__(self) -> None:
        self._detector = Detector()
        super().__init__(supported_entities=list(FOUND), name="ChineseIdentifiers", supported_language=LANGUAGE)

    def load(self) -> None:
        """Nothing to load."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts) -> list[RecognizerResult]:
        """Findings of the wanted types; an empty list of types means all."""
        del nlp_artifacts
        wanted = set(entities or FOUND)
        return [
            RecognizerResult(entity_type=finding.type, start=finding.start, end=finding.end, score=finding.score)
            for finding in self._detector.find(text)
            if finding.type in wanted
        ]
