"""The detector inside Presidio's analyzer, for those who build on that framework. Imported only when asked for.

The language pipeline is ``spacy.blank``: it splits text into tokens and knows nothing, so no model is loaded and none
is ever fetched. Presidio's own engine would map ``zh`` to a package name that a stranger registered; it is never used.

An own engine of Presidio gets our recognizer by ``register``:

    registry = RecognizerRegistry(supported_languages=["zh", "en"])
    registry.load_predefined_recognizers(languages=["zh", "en"])
    engine = AnalyzerEngine(
        registry=register(registry), nlp_engine=BlankEngine(("zh", "en")), supported_languages=["zh", "en"]
    )

Presidio's own e-mail recognizer, one of the predefined ones, asks the network for a list of domain suffixes at its
first finding (tldextract), and takes Chinese characters before an address for a part of it; ours does neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    registry = register(RecognizerRegistry(supported_languages=[LANGUAGE]))
    return AnalyzerEngine(registry=registry, nlp_engine=BlankEngine(), supported_languages=[LANGUAGE])


def register(registry: RecognizerRegistry, languages: Sequence[str] | None = None) -> RecognizerRegistry:
    """Add our recognizer to a registry, once for each of ``languages`` (all that the registry supports); returns it.

    It finds the same in every language: identifiers of China stand in English texts too.
    """
    for language in registry.supported_languages if languages is None else languages:
        registry.add_recognizer(ChineseIdentifiers(language))
    return registry


class BlankEngine(NlpEngine):
    """An NlpEngine over ``spacy.blank`` of each language: tokens without entities, no model."""

    def __init__(self, languages: Sequence[str] = (LANGUAGE,)) -> None:
        self._languages = tuple(languages)
        self._pipelines: dict[str, Any] = {}

    def load(self) -> None:
        """Make the blank pipelines; reads nothing from disk or network."""
        import spacy

        self._pipelines = {language: spacy.blank(language) for language in self._languages}

    def is_loaded(self) -> bool:
        """True after ``load``."""
        return bool(self._pipelines)

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        """Tokens of the text; entities are none."""
        if not self.is_loaded():
            self.load()
        tokens = self._pipelines[language](text)
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
        """Those it was made for; Chinese by default."""
        return list(self._languages)


class ChineseIdentifiers(EntityRecognizer):
    """All types of ``Detector`` as one recognizer: overlaps between types are resolved before Presidio sees them."""

    def __init__(self, language: str = LANGUAGE) -> None:
        self._detector = Detector()
        super().__init__(supported_entities=list(FOUND), name="ChineseIdentifiers", supported_language=language)

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
