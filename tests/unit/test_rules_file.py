"""Rule files: every mistake is told with its line, and what would be right."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hall_gateway.contract import EVENTS as CONTRACT
from hall_gateway.rules_facts import of_event
from hall_gateway.rules_file import RulesError, compiled, load_rules, shipped
from hall_gateway.rules_language import Condition, EvaluationError, Expression
from hall_gateway.rules_text import filled
from hall_gateway.rules_types import ExpressionError
from hall_gateway.rules_words import EACH, EVENTS, Word, matching, of_events
from hall_gateway.state import Emit
from hall_tools.cli import app
from hypothesis import given
from hypothesis import strategies as st
from support.core_hall import PLAN
from typer.testing import CliRunner

RULE = """rules:
  - id: mine
    title: {zh: 甲, en: a}
    each: window
    when: serving_s > 60
    actions:
      - alert: {level: info, text: {zh: "{window}", en: x}}
"""
EMIT = "      - emit: {type: hall.rule.fired, data: {a: "

MISTAKES = [
    ("when: serving_s > 60", "when: servin_s > 60", 5, "when", "there is no servin_s here"),
    ("when: serving_s > 60", 'when: serving_s > "x"', 5, "when", "does not fit"),
    ("when: serving_s > 60", "when: staff and true", 5, "when", "one side of and can be null"),
    ("when: serving_s > 60", "when: state == 3", 5, "when", "compares a text with a number"),
    ("when: serving_s", "when: not (state == 3) and serving_s", 5, "when", "compares a text with"),
    ("when: serving_s", "when: serving_s > 1 and not staff and 1", 5, "when", "can be null"),
    ("when: serving_s > 60", 'when: state == "servng"', 5, "when", 'state is never "servng"'),
    ("when: serving_s", 'when: state in ["idle", "call"] and serving_s', 5, "when", "is never"),
    ("when: serving_s > 60", "when: serving_s", 5, "when", "is a number, not true or false"),
    ("when: serving_s > 60", "when: state =~ 'a+'", 5, "when", "'=~' is not part"),
    ("when: serving_s > 60", "when: state.length > 3", 5, "when", "'.length' is not part"),
    ("when: serving_s > 60", "when: 9 ** 9 > 3", 5, "when", "'**' is not part"),
    ("when: serving_s > 60", "when: serving_s >", 5, "when", "is not an expression"),
    ("when: serving_s > 60", "whn: serving_s > 60", 5, "whn", "unknown setting"),
    ("    when: serving_s > 60\n", "", 2, "when", "is missing"),
    ("when: serving_s > 60", "when: true\n    for: 5 minutes", 6, "for", "is no duration"),
    ("when: serving_s > 60", "when: true\n    for: 61 d", 6, "for", "is no duration"),
    ("when: serving_s > 60", "when: true\n    until: x", 6, "until", "there is no x here"),
    ("each: window", "each: windows", 4, "each", "input should be"),
    ("each: window", "on: hall.rating.gven", 4, "on", "no event is"),
    ("each: window", "each: hall\n    on: hall.rating.given", 2, "", "both on and each"),
    ("each: window", "each: zone\n    scope: window", 5, "scope", "a zone is at no window"),
    ("{window}", "{windo}", 7, "actions[1].alert.text.zh", "there is no {windo} here"),
    ("{window}", "{window", 7, "actions[1].alert.text.zh", "a brace that is not closed"),
    ("level: info", "level: bad", 7, "actions[1].alert.level", "input should be"),
    ("- alert:", "- alarm:", 7, "actions[1].alarm", "unknown setting"),
    ("- alert:", "- bookmark: {}\n        alert:", 7, "actions[1]", "has alert and bookmark"),
    ("    actions:", EMIT.replace("      - emit", "    emit") + "1}}\n    actions:", 6, "emit", ""),
    ("level: info, ", "", 7, "actions[1].alert.level", "is missing"),
    ("title: {zh: 甲, en: a}", "title: 甲", 3, "title", "group of fields"),
    ("id: mine", "id: Mine", 2, "id", '"Mine" will not do'),
    ("- id: mine", "- id: mine\n    id: mine", 3, "id", "is there twice"),
    ("each: window", "each: [window", 5, None, "not YAML"),
]
ACTIONS = [
    ("bookmark: {}", "only a rating can be looked up"),
    ("command: {do: reboot}", "is missing"),
    ("command: {do: update, device: disp-1}", "input should be"),
    ("show: {view: text}", "is missing"),
    ("show: {view: caution, for: 3 s}", "as long as the rule does"),
    ("emit: {type: hall.rating.given}", "will not do"),
    ("emit: {type: hall.rule.fired, data: {a: nobody}}", "there is no nobody here"),
    ("emit: {type: hall.service.overtime, data: {ticket: ticket}}", "has a contract"),
    ("task: {title: {zh: 甲, en: a}, contact_within: 1 d}", "is missing"),
    ("{}", "has nothing in one action"),
]


@pytest.mark.parametrize(("old", "new", "line", "field", "what"), MISTAKES)
def test_a_mistake_is_told_with_its_line(
    old: str, new: str, line: int, field: str | None, what: str
) -> None:
    assert compiled(RULE, "r.yaml").rules
    with pytest.raises(RulesError) as caught:
        compiled(RULE.replace(old, new, 1), "r.yaml")
    problem = caught.value.problems[0]
    assert problem.line == line
    assert what in problem.what
    assert problem.right
    if field is not None:
        assert problem.field.removeprefix("rules[1]").removeprefix(".") == field


@pytest.mark.parametrize(("action", "what"), ACTIONS)
def test_an_action_that_cannot_be_is_told(action: str, what: str) -> None:
    with pytest.raises(RulesError) as caught:
        compiled(f"{RULE}      - {action}\n", "r.yaml")
    assert [(p.line, what in p.what) for p in caught.value.problems] == [(8, True)]


def test_all_mistakes_are_told_at_once() -> None:
    wrong = RULE.replace("serving_s >", "servin_s >").replace("{window}", "{w}")
    twice = wrong + RULE.removeprefix("rules:\n")
    with pytest.raises(RulesError) as caught:
        compiled(twice, "r.yaml")
    assert [problem.line for problem in caught.value.problems] == [5, 7, 8]


def test_a_file_has_bounds() -> None:
    many = "rules:\n" + "".join(
        RULE.removeprefix("rules:\n").replace("mine", f"mine-{number}") for number in range(101)
    )
    with pytest.raises(RulesError, match="has 101 rules; at most 100"):
        compiled(many, "r.yaml")
    action = RULE.splitlines(keepends=True)[-1]
    with pytest.raises(RulesError, match="has 11 actions; 1 to 10"):
        compiled(RULE + action * 10, "r.yaml")
    with pytest.raises(RulesError, match="over 64 KB; a rule file"):
        compiled("#" * 70_000, "r.yaml")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match="No such file"):
        load_rules(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes("rules: [] # é".encode("latin-1"))
    with pytest.raises(RulesError, match="is not UTF-8"):
        load_rules(tmp_path / "latin.yaml")


def test_every_shipped_rule_says_where_it_comes_from() -> None:
    assert [rule.id for rule in shipped().rules if not rule.source] == []


def test_the_names_of_events_are_those_of_the_contract() -> None:
    for name, words in EVENTS.items():
        fields = CONTRACT[name].data.model_json_schema(by_alias=True).get("properties")
        if fields is not None:
            assert set(words) <= set(fields), name


def test_an_event_pattern_has_the_names_that_its_types_share() -> None:
    words = of_events(matching("hall.service.*"))
    assert words["ticket"].null is False
    assert words["served_ms"].null is True
    assert "ohms" not in words


def test_a_value_that_is_none_is_told() -> None:
    with pytest.raises(EvaluationError, match="division by zero"):
        Condition("waiting / inside > 1", EACH["hall"]).holds({"waiting": 1, "inside": 0})
    assert Expression("serving_s * 1000", EACH["service"]).value({"serving_s": 1.5}) == 1500


_SIGNS = [
    "and",
    "or",
    "not",
    "in",
    "(",
    ")",
    "[",
    "]",
    ",",
    "==",
    "<",
    "-",
    "*",
    "/",
    "??",
    "1",
    "**",
]
_WORD = st.sampled_from([*EACH["hall"], *EACH["window"], *_SIGNS])
_FACT = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)


_WORDS = {**EACH["hall"], **EACH["window"]}


@given(
    st.lists(_WORD, max_size=8).map(" ".join),
    st.lists(_FACT, min_size=len(_WORDS), max_size=len(_WORDS)),
)
def test_an_expression_is_refused_or_has_a_value_or_none(text: str, facts: list[object]) -> None:
    try:
        condition = Condition(text, _WORDS)
    except ExpressionError:
        return
    with suppress(EvaluationError):
        condition.holds(dict(zip(_WORDS, facts, strict=True)))


_NUMBER = st.sampled_from(["(a ?? 0)", "b", "b * 2", "(a ?? 0.5)", "- b"])
_SUM = st.tuples(_NUMBER, st.sampled_from("+-*/%"), _NUMBER).map(" ".join) | _NUMBER
_COMPARED = st.tuples(_SUM, st.sampled_from(["<", "<=", "==", "!=", ">", ">="]), _SUM).map(" ".join)


@given(_COMPARED, _FACT, _FACT)
def test_a_right_expression_has_a_value_or_none_whatever_the_facts(
    text: str, one: object, other: object
) -> None:
    condition = Condition(text, {"a": Word("number", null=True), "b": Word("number")})
    with suppress(EvaluationError):
        condition.holds({"a": one, "b": other})


_HALL = of_events(matching("hall.*"))
_SIGN = {"number": "({} ?? 0) > 0", "truth": "{} == true", "text": '{} == "1"'}
_CONDITIONS = [Condition(_SIGN[word.kind].format(name), _HALL) for name, word in _HALL.items()]


@given(
    st.sampled_from(sorted(EVENTS)),
    st.text(max_size=9),
    st.dictionaries(st.sampled_from(sorted(_HALL)), _FACT),
)
def test_a_rule_bears_every_event(name: str, subject: str, data: dict[str, object]) -> None:
    place = of_event(Emit(name, subject, data), PLAN)
    assert place.facts.keys() >= _HALL.keys()
    for condition in _CONDITIONS:
        with suppress(EvaluationError):
            condition.holds(place.facts)
    assert filled("{type} {subject}", place.facts) == f"{name} {subject}"


def test_the_command_tells_good_from_bad(tmp_path: Path) -> None:
    run = CliRunner()
    assert run.invoke(app, ["rules", "check"]).output == "rules.yaml: good, 8 rules\n"
    path = tmp_path / "mine.yaml"
    path.write_text(RULE.replace("> 60", "> sixty"), encoding="utf-8")
    bad = run.invoke(app, ["rules", "check", str(path)])
    assert bad.exit_code == 65
    expected = f"{path}:5: rules[1].when: serving_s > sixty: there is no sixty here"
    assert bad.output.startswith(expected)
    told = json.loads(run.invoke(app, ["rules", "check", str(path), "--json"]).output)
    assert (told["ok"], told["problems"][0]["line"]) == (False, 5)
    listed = json.loads(run.invoke(app, ["rules", "list", "--json"]).output)
    assert listed[0]["does"] == ["show", "alert"]
    assert "long-queue" in run.invoke(app, ["rules", "list"]).output


def test_the_page_has_every_name_and_every_shipped_rule() -> None:
    page = (Path(__file__).parents[2] / "docs/rules.md").read_text(encoding="utf-8")
    for kind, words in EACH.items():
        table = page.partition(f"**`each: {kind}`**")[2].partition("\n\n**`")[0]
        for name, word in words.items():
            assert f"| `{name}` |" in table, (kind, name)
            assert word.says in table, (kind, name)
    assert [name for name in EVENTS if f"| `{name}` |" not in page] == []
    assert [rule.id for rule in shipped().rules if f"| `{rule.id}` " not in page] == []


def test_the_check_of_the_settings_says_what_is_wrong_with_the_rules(tmp_path: Path) -> None:
    settings = tmp_path / "hall.toml"
    settings.write_text(
        'hall = "demo"\n[store]\npath = "hall.db"\n[upstream]\nport = 1884\n'
        '[rules]\nfile = "rules.yaml"\n'
    )
    (tmp_path / "rules.yaml").write_text(RULE, encoding="utf-8")
    check = ["gateway", "check", "--config", str(settings)]
    assert "note" not in CliRunner().invoke(app, check).output
    named = RULE.replace("serving_s > 60", 'window == "9"')
    (tmp_path / "rules.yaml").write_text(named, encoding="utf-8")
    for command in (check, ["rules", "check", "--config", str(settings)]):
        told = CliRunner().invoke(app, command)
        assert told.exit_code == 0
        note = 'rules[1].when: there is no window "9" in this hall; none is known'
        assert f"note: {tmp_path}/rules.yaml:5: {note}" in told.output
    (tmp_path / "rules.yaml").write_text(RULE.replace("> 60", "> sixty"), encoding="utf-8")
    checked = CliRunner().invoke(app, check)
    assert checked.exit_code == 0
    assert f"note: {tmp_path}/rules.yaml:5: rules[1].when: " in checked.output
    listed = CliRunner().invoke(app, ["rules", "check", "--config", str(settings)])
    assert listed.exit_code == 65
