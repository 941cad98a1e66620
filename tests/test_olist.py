"""The example `examples/olist`: what rows become, and that real orders go through the engine whole."""

from __future__ import annotations

import csv
import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from policy_engine import load_history, load_policy

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "olist"
REAL = ROOT.parent / "shared" / "data" / "olist-orders"
AS_OF = datetime(2018, 12, 31, tzinfo=UTC)


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"olist_{name}", EXAMPLE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


to_histories = script("to_histories")
tabulate = script("tabulate")


# -- invented rows of the same columns -----------------------------------------------------------------

ORDERS = """\
order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,order_delivered_carrier_date,\
order_delivered_customer_date,order_estimated_delivery_date
o-good,c1,delivered,2018-03-01 10:00:00,2018-03-01 10:30:00,2018-03-02 22:30:00,2018-03-08 12:00:00,2018-03-20 00:00:00
o-missing,c2,shipped,2018-03-01 10:00:00,2018-03-01 10:30:00,2018-03-03 09:00:00,,2018-03-20 00:00:00
o-never-sent,c3,unavailable,2018-03-01 10:00:00,2018-03-02 00:00:00,,,2018-03-03 00:00:00
o-clock,c4,shipped,2018-03-01 10:00:00,2018-03-01 10:30:00,2018-03-01 09:00:00,,2018-03-20 00:00:00
o-replaced,c5,canceled,2018-03-01 10:00:00,,,,2018-03-20 00:00:00
o-late,c6,shipped,2018-03-01 10:00:00,2018-03-01 10:30:00,2018-03-21 00:00:01,,2018-03-20 00:00:00
o-many,c7,delivered,2018-03-01 10:00:00,2018-03-01 10:30:00,2018-03-02 09:00:00,2018-03-10 12:00:00,2018-03-20 00:00:00
"""
PAYMENTS = """\
order_id,payment_sequential,payment_type,payment_installments,payment_value
o-good,1,voucher,1,0.1
o-missing,1,credit_card,3,20
o-good,2,credit_card,1,0.2
o-many,1,boleto,1,99.99
o-clock,1,not_defined,1,0.0
o-late,1,boleto,1,5.50
o-never-sent,1,boleto,1,7.00
"""
REVIEWS = """\
review_id,order_id,review_score,review_comment_title,review_comment_message,review_creation_date,review_answer_timestamp
r1,o-good,5,,,2018-03-09 00:00:00,2018-03-09 08:15:00
r2,o-missing,1,,"Comprei há um mês,
e ainda NÃO recebi nada!",2018-03-21 00:00:00,2018-03-21 12:00:00
r3,o-never-sent,1,Nao chegou,,2018-03-05 00:00:00,2018-03-05 12:00:00
r4,o-clock,3,,não chegou,2018-03-05 00:00:00,2018-03-05 12:00:00
r5,o-replaced,2,,não recebi,2018-02-01 00:00:00,2018-02-02 12:00:00
r6,o-many,2,,Veio quebrado,2018-03-22 00:00:00,2018-03-22 12:00:00
r7,o-many,5,,,2018-03-05 00:00:00,2018-03-05 12:00:00
r1,o-many,4,,,2018-03-11 00:00:00,2018-03-11 12:00:00
r8,o-many,5,,,2018-03-12 00:00:00,2018-03-12 12:00:00
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"orders": ORDERS, "order_payments": PAYMENTS, "order_reviews": REVIEWS}.items():
        (tmp_path / f"olist_{name}_dataset.csv").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def found(folder: Path) -> dict[str, dict[str, Any]]:
    return {history["order"]["id"]: history for history in to_histories.histories(folder)}


def shown(history: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    return [(event["id"], event["time"], event["type"]) for event in history["events"]]


def test_an_order_that_went_well(found: dict[str, dict[str, Any]]) -> None:
    assert found["o-good"] == {
        "order": {
            "id": "o-good",
            "placed_at": "2018-03-01T10:00:00-03:00",
            "total": "BRL 0.30",
            # From 2 March 22:30 to the end of 20 March: 18 days and 1.5 hours, in hours begun.
            "delivery_limit": "434 hours",
        },
        "events": [
            {"id": "shipped", "time": "2018-03-02T22:30:00-03:00", "type": "shipped", "by": "seller"},
            {"id": "r1-receipt", "time": "2018-03-09T08:15:00-03:00", "type": "receipt_confirmed", "by": "buyer"},
            {
                "id": "r1-feedback",
                "time": "2018-03-09T08:15:00-03:00",
                "type": "feedback_left",
                "by": "buyer",
                "data": {"stars": 5},
            },
        ],
    }


def test_a_low_review_that_says_not_received_is_a_request(found: dict[str, dict[str, Any]]) -> None:
    _, request, feedback = found["o-missing"]["events"]
    assert request == {
        "id": "r2-request",
        "time": "2018-03-21T12:00:00-03:00",
        "type": "refund_requested",
        "by": "buyer",
        "data": {"amount": "BRL 20.00", "reason": "not_received"},
    }
    assert feedback["data"] == {"stars": 1}


def test_several_reviews_in_order_of_their_answers_and_one_receipt(found: dict[str, dict[str, Any]]) -> None:
    assert [event for event, _, _ in shown(found["o-many"])] == [
        "shipped",
        "r7-feedback",  # five stars, but before the carrier had delivered
        "r1-receipt",
        "r1-feedback",
        "r8-feedback",
        "r6-feedback",  # two stars for another reason
    ]


def test_an_order_without_a_hand_over(found: dict[str, dict[str, Any]]) -> None:
    assert found["o-never-sent"]["order"]["delivery_limit"] == "48 hours"
    assert [event for event, _, _ in shown(found["o-never-sent"])] == ["r3-request", "r3-feedback"]


def test_a_hand_over_before_the_purchase_is_moved_and_says_so(found: dict[str, dict[str, Any]]) -> None:
    shipped, feedback = found["o-clock"]["events"]
    assert shipped["time"] == "2018-03-01T10:00:00-03:00"
    assert shipped["x-olist-time"] == "2018-03-01T09:00:00-03:00"
    assert feedback["type"] == "feedback_left"
    assert found["o-clock"]["order"]["total"] == "BRL 0.00"


def test_a_review_before_the_purchase_is_left_out_and_listed(found: dict[str, dict[str, Any]]) -> None:
    assert found["o-replaced"]["events"] == []
    assert found["o-replaced"]["x-left-out"] == [{"review": "r5", "time": "2018-02-02T12:00:00-03:00"}]
    assert found["o-replaced"]["order"]["total"] == "BRL 0.00"


def test_a_promise_that_was_over_at_the_hand_over(found: dict[str, dict[str, Any]]) -> None:
    assert found["o-late"]["order"]["delivery_limit"] == "0 days"


def test_histories_are_in_order_and_event_ids_unique(folder: Path) -> None:
    histories = list(to_histories.histories(folder))
    assert [history["order"]["id"] for history in histories] == [
        row["order_id"] for row in csv.DictReader(ORDERS.splitlines())
    ]
    for history in histories:
        ids = [event["id"] for event in history["events"]]
        assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    "text",
    [
        "Não recebi o produto",
        "nao  recebi",
        "ÑAO CHEGOU",
        "ainda não o recebi",
        "Até hoje n recebi nada",
        "O pedido nunca chegou",
        "os produtos não foram entregues",
        "não me entregaram a encomenda",
        "produto não entregue",
        "sem o livro, por não ter recebido",
        "Não recebi retorno e não recebi o produto",
    ],
)
def test_says_not_received(text: str) -> None:
    assert to_histories.says_not_received({"review_comment_title": "", "review_comment_message": text})
    assert to_histories.says_not_received({"review_comment_title": text, "review_comment_message": ""})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Recebi o produto antes do prazo",
        "Não recomendo",
        "não recebi nenhuma resposta",
        "Ainda não recebi meu dinheiro",
        "não recebi ainda a nota fiscal",
        "Não chegou no prazo",
        "não chegou conforme a foto",
        "Não gostei. Chegou quebrado",
        "perfeição recebida",
    ],
)
def test_does_not_say_not_received(text: str) -> None:
    assert not to_histories.says_not_received({"review_comment_title": "", "review_comment_message": text})


def test_title_and_text_are_not_read_as_one_phrase() -> None:
    review = {"review_comment_title": "Não", "review_comment_message": "chegou tudo certo"}
    assert not to_histories.says_not_received(review)


def test_the_command_writes_json_lines_and_counts_what_it_put_right(folder: Path) -> None:
    runs = [
        subprocess.run(
            [sys.executable, str(EXAMPLE / "to_histories.py"), str(folder)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
        )
        for _ in range(2)
    ]
    assert runs[0].stdout == runs[1].stdout
    assert [json.loads(line) for line in runs[0].stdout.splitlines()] == list(to_histories.histories(folder))
    assert [line.split(maxsplit=1) for line in runs[0].stderr.splitlines()] == [
        ["7", "orders"],
        ["17", "events"],
        ["1", "hand-overs moved to the purchase"],
        ["1", "reviews left out, answered before the purchase"],
    ]


def test_a_folder_without_the_files_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        to_histories.main([str(tmp_path)])
    assert stopped.value.code == 2
    assert "olist_orders_dataset.csv" in capsys.readouterr().err


def test_what_the_invented_orders_come_to(found: dict[str, dict[str, Any]]) -> None:
    policy = load_policy("aliexpress@2012")
    evaluations = [policy.evaluate(load_history(history), as_of=AS_OF).to_dict() for history in found.values()]
    assert tabulate.report(evaluations).splitlines() == [
        "| status | outcome | state | histories | paid | refunded | released |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: |",
        "| closed | completed | completed | 2 | 100.29 | 0.00 | 100.29 |",
        "| open |  | awaiting_shipment | 2 | 7.00 | 0.00 | 0.00 |",
        "| open |  | shipped | 2 | 5.50 | 0.00 | 0.00 |",
        "| closed | refunded | refunded | 1 | 20.00 | 20.00 | 0.00 |",
        "| all |  |  | 7 | 132.79 | 20.00 | 100.29 |",
        "",
        "Of 3 closed cases, refund and release together are what was paid in 3.",
        "",
        "| refused event | code | reason | events |",
        "| --- | --- | --- | ---: |",
        "| refund_requested | not_permitted | no rule takes `refund_requested` in state `awaiting_shipment` | 1 |",
    ]


def test_a_case_that_loses_money_is_counted() -> None:
    actions = [{"name": "refund", "data": {"amount": "BRL 1.00"}}, {"name": "release", "data": {"amount": "BRL 1.99"}}]
    evaluation = {
        "order": {"total": "BRL 3.00"},
        "status": "closed",
        "outcome": "ruled",
        "state": "ruled",
        "actions": actions,
        "refused": [],
    }
    assert not tabulate.conserves(evaluation)
    assert "Of 1 closed cases, refund and release together are what was paid in 0." in tabulate.report([evaluation])


# -- the real orders -----------------------------------------------------------------------------------


@pytest.mark.skipif(not REAL.is_dir(), reason="the Olist data are not here: they may not be part of the project")
def test_real_orders_are_evaluated_and_money_is_conserved() -> None:
    policy = load_policy("aliexpress@2012")
    states = set()
    sample = list(islice(to_histories.histories(REAL), 0, None, 27))[:300]
    assert len(sample) == 300
    for history in sample:
        evaluation = policy.evaluate(load_history(history), as_of=AS_OF).to_dict()
        states.add(evaluation["state"])
        assert evaluation["status"] != "failed", evaluation["errors"]
        assert not evaluation["future"]
        if evaluation["status"] == "closed":
            assert tabulate.conserves(evaluation), history["order"]["id"]
        else:
            assert not evaluation["actions"]
    assert states == {"awaiting_shipment", "shipped", "completed", "refunded"}
