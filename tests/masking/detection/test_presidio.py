"""The Presidio adapter: same findings, no model, no network."""

from __future__ import annotations

import socket

import pytest

from masking.detection import Detector

pytest.importorskip("presidio_analyzer")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


def test_same_findings_without_network(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    from masking.detection.presidio import BlankEngine, analyzer

    text = "电话13812345678，邮箱zhang@163.com"
    results = sorted((r.start, r.end, r.entity_type) for r in analyzer().analyze(text, language="zh"))
    assert results == [(f.start, f.end, f.type) for f in Detector().find(text)]
    engine = BlankEngine()
    assert not engine.is_loaded()
    ((_, artifacts),) = engine.process_batch([text], "zh")
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
