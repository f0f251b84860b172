"""The forms of a network in fewer bits, on a tiny one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from benchmarks.errors import BenchmarkError
from benchmarks.quantisation.__main__ import app
from benchmarks.quantisation.forms import FORMS
from benchmarks.quantisation.graphs import without_fused_products
from benchmarks.quantisation.trial import Court, Trial
from labels.record import write
from model.bundle import LAYOUT, Bundle
from tests.benchmarks import trained


@pytest.fixture(scope="module")
def trials(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Trial]:
    """Every form in either way, run once."""
    folder = tmp_path_factory.mktemp("forms")
    court = Court(Bundle.read(whole), trained.records(), threads=1)
    windows = court.tagger(whole / LAYOUT.model, {}).encode(trained.texts())
    found = []
    for number, form in enumerate(FORMS):
        form.write(whole / LAYOUT.model, folder / f"{number}.onnx", windows)
        found += court.trials(form, folder / f"{number}.onnx")
    for trial in found:
        trial.go()
    return {(trial.form.name, trial.way): trial for trial in found}


def test_every_form_answers_nearly_as_32_bit_floats(trials: dict[tuple[str, str], Trial]) -> None:
    assert len(trials) == 2 * len(FORMS)
    reference = trials[FORMS[0].name, "one a text"].probabilities
    for trial in trials.values():
        assert np.abs(trial.probabilities - reference).max() < 0.05, trial.form.name


def test_every_other_form_is_smaller(trials: dict[tuple[str, str], Trial]) -> None:
    first, *others = (trials[form.name, "one a text"].size for form in FORMS)
    assert all(size < 0.7 * first for size in others)


def test_neighbours_change_an_answer_only_where_scales_are_found_by_call(
    trials: dict[tuple[str, str], Trial],
) -> None:
    for (name, way), trial in trials.items():
        if way == "one a text":
            assert trial.neighbours == 0.0, name
        elif name.startswith("dynamic"):
            assert trial.neighbours > 1e-4, name
        else:
            assert trial.neighbours < 1e-5, name


def test_products_taken_out_of_fused_attention_compute_the_same(whole: Path, tmp_path: Path) -> None:
    model = without_fused_products(onnx.load(whole / LAYOUT.model))
    assert "Attention" not in {node.op_type for node in model.graph.node}
    onnx.save(model, tmp_path / "plain.onnx")
    court = Court(Bundle.read(whole), trained.records(), threads=1)
    before, after = (court.tagger(file, {}) for file in (whole / LAYOUT.model, tmp_path / "plain.onnx"))
    texts = trained.texts()
    assert np.abs(before.probabilities(texts) - after.probabilities(texts)).max() < 1e-6


def test_the_forms_compute_in_the_bits_that_they_are_named_for(whole: Path, tmp_path: Path) -> None:
    court = Court(Bundle.read(whole), trained.records(), threads=1)
    windows = court.tagger(whole / LAYOUT.model, {}).encode(trained.texts())
    wanted = {
        "dynamic": "DynamicQuantizeLinear",
        "static, extremes": "QuantizeLinear",
        "by token": "MatMulIntegerToFloat",
        "by token and block": "MatMulNBits",
    }
    for name, operator in wanted.items():
        (form,) = (form for form in FORMS if form.name == name)
        form.write(whole / LAYOUT.model, tmp_path / "form.onnx", windows)
        nodes = [node.op_type for node in onnx.load(tmp_path / "form.onnx").graph.node]
        assert nodes.count(operator) >= 8, (
            form.name
        )  # four products a layer, of which two are of the same input at most


def test_the_program_compares_every_form_with_32_bits_in_batches(whole: Path, tmp_path: Path) -> None:
    data, page = tmp_path / "records.jsonl", tmp_path / "quantisation.md"
    write(data, trained.records())
    options = ["--bundle", str(whole), "--data", str(data), "--rounds", "2", "--threads", "1"]
    result = CliRunner().invoke(app, [*options, "--markdown", str(page)], catch_exceptions=False)
    assert result.exit_code == 0
    lines = [line.strip("| ").split(" | ") for line in page.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    rows = lines[2:]
    assert [row[0] for row in rows[::2]] == [form.name for form in FORMS]
    first = rows[0]
    assert first[4:8] == ["1.00", "0.0e+00", "0.00", first[7]]
    for row in rows:
        assert float(row[4]) == pytest.approx(float(row[3]) / float(first[3]), rel=0.01, abs=0.01)


def test_a_network_that_is_in_8_bits_already_is_refused(small: Path) -> None:
    result = CliRunner().invoke(app, ["--bundle", str(small)])
    assert isinstance(result.exception, BenchmarkError)
    assert "in 8 bits already" in str(result.exception)
