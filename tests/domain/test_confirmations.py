"""The answers to STOP, START and HELP: one segment each, in the person's language."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from bellwire.domain.keywords import Kind, classify, confirmation, may_confirm
from bellwire.domain.segments import measure
from bellwire.model import Encoding
from hypothesis import given
from hypothesis import strategies as st

LATIN = ["en", "es", "hr", "uz", "fr", "de", "pt"]
OTHER = ["ru", "uz-Cyrl", "zh", "zh-Hant"]


@pytest.mark.parametrize("language", LATIN)
@pytest.mark.parametrize("kind", list(Kind))
def test_latin_languages_are_one_gsm_segment(kind: Kind, language: str) -> None:
    size = measure(confirmation(kind, language, "Example Shop and Partners", "https://example.com/help"))
    assert (size.encoding, size.segments) == (Encoding.GSM7, 1)


@pytest.mark.parametrize("language", OTHER)
@pytest.mark.parametrize("kind", list(Kind))
def test_other_scripts_are_one_ucs2_segment(kind: Kind, language: str) -> None:
    size = measure(confirmation(kind, language, "Example Shop", "example.com/help"))
    assert (size.encoding, size.segments) == (Encoding.UCS2, 1)


@pytest.mark.parametrize("language", [*LATIN, *OTHER])
@pytest.mark.parametrize("kind", list(Kind))
def test_the_brand_stands_in_it_and_an_ordinary_one_is_whole(kind: Kind, language: str) -> None:
    assert "Example" in confirmation(kind, language, "Example")
    assert "Пример" in confirmation(kind, language, "Пример")


EXACT = [
    (Kind.STOP, "en", "Ana's: You are unsubscribed and will get no more messages. Reply START to resubscribe, HELP for help."),
    (Kind.STOP, "es-CO", "Ana's: Baja confirmada. No recibira mas mensajes. Responda ALTA para volver."),
    (Kind.STOP, "hr", "Ana's: Odjava potvrdena. Vise nece biti poruka. Za povratak posaljite PRIJAVA."),
    (Kind.STOP, "ru-UZ", "Ana's: Вы отписаны. Чтобы вернуться, отправьте СТАРТ."),
    (Kind.STOP, "uz-Latn-UZ", "Ana's: Obuna bekor qilindi. Qayta yoqish uchun BOSHLASH deb yozing."),
    (Kind.STOP, "zh-CN", "【Ana's】您已退订，不再接收消息。回复“开始”可重新订阅。"),
    (Kind.STOP, "tlh", "Ana's: You are unsubscribed and will get no more messages. Reply START to resubscribe, HELP for help."),
    (Kind.HELP, "en", "Ana's: You get texts about your orders and requests. Msg&data rates may apply. Reply STOP to unsubscribe."),
]


@pytest.mark.parametrize(("kind", "language", "expected"), EXACT, ids=[f"{row[0]} in {row[1]}" for row in EXACT])
def test_texts(kind: Kind, language: str, expected: str) -> None:
    assert confirmation(kind, language, "Ana's") == expected


def test_help_names_the_contact_and_leaves_out_one_that_takes_too_much() -> None:
    assert "help@example.com" in confirmation("help", "ru", "Пример", "help@example.com")
    assert "x" * 200 not in confirmation("help", "en", "Ana's", "x" * 200)


#: What the texts tell people to answer must be understood where they are sent.
NAMED = [
    ("en", "US", ["START", "HELP", "STOP"]),
    ("es", "CO", ["ALTA", "BAJA", "AYUDA"]),
    ("hr", "HR", ["PRIJAVA", "STOP"]),
    ("ru", "UZ", ["СТАРТ", "СТОП"]),
    ("uz", "UZ", ["BOSHLASH", "STOP"]),
    ("uz-Cyrl", "UZ", ["БОШЛАШ", "СТОП"]),
    ("zh", "CN", ["开始", "退订"]),
    ("zh-Hant", "TW", ["訂閱", "退訂"]),
    ("fr", "CA", ["DEBUT", "ARRET", "AIDE"]),
    ("de", "DE", ["ANMELDEN", "STOPP", "HILFE"]),
    ("pt", "BR", ["INICIAR", "SAIR", "AJUDA"]),
]


@pytest.mark.parametrize(("language", "country", "words"), NAMED, ids=[row[0] for row in NAMED])
def test_the_words_they_name_are_keywords(language: str, country: str, words: list[str]) -> None:
    texts = " ".join(confirmation(kind, language, "Ana", contact) for kind in Kind for contact in ("", "x"))
    for word in words:
        assert word in texts
        assert classify(word, country=country).kind is not None


@given(st.sampled_from(list(Kind)), st.sampled_from([*LATIN, *OTHER]), st.text(max_size=80), st.text(max_size=80))
def test_one_segment_whatever_the_brand_is_called(kind: Kind, language: str, brand: str, contact: str) -> None:
    assert measure(confirmation(kind, language, brand, contact)).segments == 1


def test_the_same_word_is_answered_once_a_day() -> None:
    now = datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert may_confirm(None, now)
    assert not may_confirm(now - timedelta(hours=23, minutes=59), now)
    assert may_confirm(now - timedelta(hours=24), now)
