"""The Presidio adapter: same findings, no model, no network; ours inside a stock engine."""

from __future__ import annotations

import socket

import pytest

from masking.detection import Detector
from masking.detection.detector import FOUND

pytest.importorskip("presidio_analyzer")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")

TEXT = "电话13812345678，邮箱zhang@163.com"
LANGUAGES = ["zh", "en"]


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def spans(engine, text, language="zh", **given):
    return sorted((r.start, r.end, r.entity_type) for r in engine.analyze(text, language=language, **given))


def found(text):
    return [(f.start, f.end, f.type) for f in Detector().find(text)]


def test_same_findings_without_network():
    from masking.detection.presidio import BlankEngine, analyzer

    assert spans(analyzer(), TEXT) == found(TEXT)
    engine = BlankEngine()
    assert not engine.is_loaded()
    ((_, artifacts),) = engine.process_batch([TEXT], "zh")
    assert artifacts.entities == []
    assert engine.get_supported_entities() == []
    assert engine.get_supported_languages() == ["zh"]
    assert engine.is_punct("，", "zh")
    assert not engine.is_stopword("的", "zh")


def test_only_asked_types():
    from masking.detection.presidio import analyzer

    assert [r.entity_type for r in analyzer().analyze("13812345678 a@b.cn", language="zh", entities=["EMAIL"])] == [
        "EMAIL"
    ]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("pipeline", ["blank", "no-op"])
def test_in_a_stock_engine(language, pipeline):
    """Presidio's engine, its registry, and either pipeline that needs no model."""
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NoOpNlpEngine
    from presidio_analyzer.predefined_recognizers import CreditCardRecognizer

    from masking.detection.presidio import BlankEngine, register

    models = [{"lang_code": name, "model_name": "none"} for name in LANGUAGES]
    registry = RecognizerRegistry(supported_languages=LANGUAGES)
    registry.add_recognizer(CreditCardRecognizer(supported_language=language))
    assert register(registry) is registry
    engine = AnalyzerEngine(
        registry=registry,
        nlp_engine=BlankEngine(LANGUAGES) if pipeline == "blank" else NoOpNlpEngine(models),
        supported_languages=LANGUAGES,
    )
    assert set(FOUND) <= set(engine.get_supported_entities(language))
    assert spans(engine, TEXT, language) == found(TEXT)
    assert spans(engine, "call 13812345678 or mail zhang@163.com", language) == found(
        "call 13812345678 or mail zhang@163.com"
    )
    assert "CREDIT_CARD" in {r.entity_type for r in engine.analyze("4111111111111111", language=language)}
    assert spans(engine, TEXT, language, entities=["EMAIL"]) == [(16, 29, "EMAIL")]


def test_register_for_one_language():
    from presidio_analyzer import RecognizerRegistry

    from masking.detection.presidio import ChineseIdentifiers, register

    registry = register(RecognizerRegistry(supported_languages=LANGUAGES), ["en"])
    (ours,) = registry.recognizers
    assert isinstance(ours, ChineseIdentifiers)
    assert ours.supported_language == "en"


def test_mail_in_chinese_text_which_the_stock_recognizer_never_bounds(monkeypatch):
    """Stock: no exact span in 20 (F1 0.000), for it swallows the Chinese characters in front; ours: all."""
    import tldextract
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.predefined_recognizers import EmailRecognizer

    from masking.detection.presidio import BlankEngine, analyzer

    # Without this the stock recognizer asks the network for a list of domain suffixes.
    offline = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    monkeypatch.setattr(tldextract, "extract", offline)
    registry = RecognizerRegistry(recognizers=[EmailRecognizer(supported_language="zh")], supported_languages=["zh"])
    stock = AnalyzerEngine(registry=registry, nlp_engine=BlankEngine(), supported_languages=["zh"])
    ours = analyzer()
    right = {"stock": 0, "ours": 0}
    for number in range(20):
        mail = f"user{number}@163.com"
        text = f"我的邮箱是{mail}，请回复"
        right["stock"] += spans(stock, text) == [(5, 5 + len(mail), "EMAIL_ADDRESS")]
        right["ours"] += spans(ours, text) == [(5, 5 + len(mail), "EMAIL")]
    assert right == {"stock": 0, "ours": 20}
    assert spans(stock, "mail user1@163.com now") == [(5, 18, "EMAIL_ADDRESS")]  # it works where no Chinese stands
