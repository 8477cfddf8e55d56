"""Locale names and which variant a person gets."""

import pytest
from bellwire.domain.locales import chain, exactly, normalize, pick, script
from hypothesis import given
from hypothesis import strategies as st

NORMALIZED = [
    ("as it should be", "uz-Latn-UZ", "uz-Latn-UZ"),
    ("underscores and small letters", "uz_latn_uz", "uz-Latn-UZ"),
    ("capitals", "EN", "en"),
    ("a territory by number", "es_419", "es-419"),
    ("POSIX with an encoding", "en_US.UTF-8", "en-US"),
    ("POSIX with a script", "uz_UZ@cyrillic", "uz-Cyrl-UZ"),
    ("a variant stays", "de_ch_1996", "de-CH-1996"),
    ("an extension goes", "en-US-u-ca-gregory", "en-US"),
    ("a renamed language", "iw_IL", "he-IL"),
    ("blanks around", " ru-RU ", "ru-RU"),
    ("what can't be read behind the language goes", "en--US", "en"),
    ("nothing", "", ""),
    ("the C locale", "C", ""),
    ("POSIX", "POSIX", ""),
    ("a language's name", "English", ""),
    ("far too long", "en-" + "a" * 100, ""),
    ("no locale at all", "❤", ""),
]


@pytest.mark.parametrize(("label", "given_name", "expected"), NORMALIZED, ids=[row[0] for row in NORMALIZED])
def test_normalize(label: str, given_name: str, expected: str) -> None:
    assert normalize(given_name) == expected, label


@pytest.mark.parametrize(
    ("given_name", "expected"),
    [
        ("uz_latn_uz", "uz-Latn-UZ"),
        ("en_US.UTF-8", "en-US"),
        ("uz_UZ@cyrillic", "uz-Cyrl-UZ"),
        ("de-DE-u-co-phonebk", "de-DE"),
        ("ca-ES-valencia", "ca-ES-valencia"),
        ("xx-yy-zz-bad", ""),
        ("en-US-GB", ""),
        ("en-", ""),
        ("?", ""),
        ("en-!", ""),
        ("en-x", ""),
    ],
)
def test_a_name_that_is_a_setting_is_read_whole_or_not_at_all(given_name: str, expected: str) -> None:
    assert exactly(given_name) == expected


SCRIPTS = [
    ("written", "uz-Cyrl-UZ", "Cyrl"),
    ("by the language", "ru", "Cyrl"),
    ("by the country", "zh-TW", "Hant"),
    ("by the language, in a country that decides nothing", "zh-SG", "Hans"),
    ("Latin where nothing is known", "uz", "Latn"),
    ("no locale, no script", "?", ""),
]


@pytest.mark.parametrize(("label", "locale", "expected"), SCRIPTS, ids=[row[0] for row in SCRIPTS])
def test_script(label: str, locale: str, expected: str) -> None:
    assert script(locale) == expected, label


CHAINS = [
    ("from special to general", "uz-Latn-UZ", ("uz-Latn-UZ", "uz-Latn", "uz-UZ", "uz")),
    ("not into another script", "uz-Cyrl-UZ", ("uz-Cyrl-UZ", "uz-Cyrl")),
    ("the country's script is not the language's", "zh-TW", ("zh-TW",)),
    ("language and country", "es-CO", ("es-CO", "es")),
    ("no locale", "nonsense!", ()),
]


@pytest.mark.parametrize(("label", "locale", "expected"), CHAINS, ids=[row[0] for row in CHAINS])
def test_chain(label: str, locale: str, expected: tuple[str, ...]) -> None:
    assert chain(locale) == expected, label


PICKED = [
    ("the same name", ["en", "es-CO"], ["es-CO"], "en", "es-CO"),
    ("as it is stored, whatever the case", ["UZ_latn"], ["uz-Latn-UZ"], "en", "UZ_latn"),
    ("full name first", ["uz", "uz-Latn", "uz-Latn-UZ"], ["uz-Latn-UZ"], "en", "uz-Latn-UZ"),
    ("then without the country", ["uz", "uz-Latn"], ["uz-Latn-UZ"], "en", "uz-Latn"),
    ("then the bare language", ["uz", "en"], ["uz-Latn-UZ"], "en", "uz"),
    ("then the default", ["en", "ru"], ["uz-Latn-UZ"], "ru", "ru"),
    ("the default may be less special too", ["ru"], ["uz"], "ru-RU", "ru"),
    ("nothing fits", ["hr"], ["uz"], "ru", None),
    ("nothing there", [], ["uz"], "ru", None),
    ("nobody knows what is wanted", ["en", "ru"], [], "ru", "ru"),
    ("junk is passed over", ["en", "ru"], ["", "??", "en_US.UTF-8"], "ru", "en"),
    ("a bare language finds its country's", ["es-CO", "en"], ["es"], "en", "es-CO"),
    ("another country of the language is better than another language", ["es-CO", "en"], ["es-MX"], "en", "es-CO"),
    ("the same country in another spelling first", ["uz-Latn-KZ", "uz-Latn-UZ"], ["uz-UZ"], "en", "uz-Latn-UZ"),
    ("the first wanted locale wins over a closer later one", ["es", "hr-HR"], ["es-CO", "hr-HR"], "en", "es"),
    ("a later wanted locale wins over the default", ["ru", "en"], ["uz", "ru"], "en", "ru"),
    ("Cyrillic wanted, Latin there: the default", ["uz-Latn", "ru"], ["uz-Cyrl"], "ru", "ru"),
    ("Cyrillic wanted, bare (Latin) there: the default", ["uz", "ru"], ["uz-Cyrl-UZ"], "ru", "ru"),
    ("Cyrillic wanted, Latin is all there is", ["uz-Latn"], ["uz-Cyrl"], "ru", "uz-Latn"),
    ("Latin wanted, Cyrillic is all there is", ["uz-Cyrl"], ["uz"], "ru", "uz-Cyrl"),
    ("traditional Chinese does not read simplified", ["zh-CN", "en"], ["zh-TW"], "en", "en"),
    ("Hong Kong reads Taiwan's", ["zh-CN", "zh-TW", "en"], ["zh-HK"], "en", "zh-TW"),
    ("the script says it as well as the country", ["zh-CN"], ["zh-Hans"], "en", "zh-CN"),
    ("Serbian is Cyrillic unless it says so", ["sr-Latn", "sr-Cyrl"], ["sr"], "en", "sr-Cyrl"),
    ("stored twice in two spellings: the first", ["es_CO", "es-co"], ["es-CO"], "en", "es_CO"),
]


@pytest.mark.parametrize(("label", "available", "wanted", "default", "expected"), PICKED, ids=[row[0] for row in PICKED])
def test_pick(label: str, available: list[str], wanted: list[str], default: str, expected: str | None) -> None:
    assert pick(available, wanted, default) == expected, label


names = st.sampled_from(["en", "es-CO", "es", "uz", "uz-Cyrl", "uz_latn_UZ", "zh-TW", "zh-CN", "sr", "?", ""])


@given(st.lists(names), st.lists(names), names)
def test_what_is_picked_was_available(available: list[str], wanted: list[str], default: str) -> None:
    picked = pick(available, wanted, default)
    assert picked is None or picked in available


@given(st.text(max_size=40))
def test_normalizing_twice_changes_nothing(name: str) -> None:
    assert normalize(normalize(name)) == normalize(name)
    assert normalize(name) in {"", *chain(name)}


@pytest.mark.parametrize("stored", ["es_CO", "es-CO", "ES_co", "es"])
@pytest.mark.parametrize("wanted", ["es_CO", "es-CO", "es-MX", "es"])
def test_what_was_stored_in_another_form_is_found_all_the_same(stored: str, wanted: str) -> None:
    assert pick(["en", stored], [wanted], "en") == stored
    assert pick(["en", stored], [], wanted) == stored
