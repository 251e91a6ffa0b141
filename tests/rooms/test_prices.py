"""What a second of a skill's container costs."""

import pytest

from agents.src.errors import Misconfigured
from agents.src.settings import MODAL_PRICES, read_settings
from agents.src.skills import GPUS, Resources, checked_prices, usd_per_second

PRICES = {"cpu": 8.0, "memory": 80.0, "T4": 1000.0, "H100": 9000.0}


@pytest.mark.parametrize(
    ("resources", "price"),
    [
        (Resources(), 0.125 * 8 + 0.125 * 80),
        (Resources(cpu=2.0, memory=512), 2 * 8 + 0.5 * 80),
        (Resources(gpu=("T4",)), 11 + 1000),
        (Resources(gpu=("H100:2", "T4")), 11 + 2 * 9000),
        (Resources(gpu=("L4", "T4")), None),
        (Resources(gpu=("ANY",)), None),
    ],
)
def test_cores_memory_and_the_first_gpu_add_up_and_without_a_price_it_is_not_known(resources: Resources, price: float) -> None:
    assert usd_per_second(resources, PRICES) == price


def test_all_of_modals_gpus_have_a_price_but_those_that_may_be_one_or_another() -> None:
    assert checked_prices(MODAL_PRICES) == MODAL_PRICES
    assert GPUS.keys() - MODAL_PRICES.keys() == {"ANY", "B200+"}


def test_what_is_no_resource_has_no_price() -> None:
    with pytest.raises(Misconfigured, match="COMPUTE_PRICES: 'H1000'"):
        checked_prices({**MODAL_PRICES, "H1000": 1.0})


def test_some_prices_may_be_given_and_the_others_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings().compute_prices == MODAL_PRICES
    monkeypatch.setenv("COMPUTE_PRICES", '{"cpu": 1, "B200+": 0.5}')
    assert read_settings().compute_prices == {**MODAL_PRICES, "cpu": 1, "B200+": 0.5}


@pytest.mark.parametrize(
    "text", ["", "cheap", "[1]", '{"cpu": "1"}', '{"cpu": -1}', '{"cpu": Infinity}', '{"cpu": NaN}', '{"cpu": true}']
)
def test_prices_that_are_none_are_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPUTE_PRICES", text)
    with pytest.raises(Misconfigured, match="COMPUTE_PRICES: prices look like"):
        read_settings()
