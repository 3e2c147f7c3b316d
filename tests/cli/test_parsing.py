"""What is wrong with a command line is one line on stderr, and exit status 2."""

import pytest
from absl import flags

from depthjax.cli import parsing


@pytest.fixture(autouse=True)
def values(monkeypatch):
    values = flags.FlagValues()
    flags.DEFINE_integer("steps", 3, "", flag_values=values, lower_bound=0)
    flags.DEFINE_list("layers", [], "", flag_values=values)
    flags.DEFINE_float("learning_rate", 1.0, "", flag_values=values)
    monkeypatch.setattr(parsing, "FLAGS", values)
    return values


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--step=3", "there is no flag --step; did you mean --steps?"),
        ("--Layers=a", "there is no flag --Layers; did you mean --layers?"),
        ("--learning-rate=1", "there is no flag --learning-rate; did you mean --learning_rate?"),
        ("--weight_rate=1", "did you mean --learning_rate?"),
        ("--verbose", "there is no flag --verbose; --help lists them all"),
        ("--lr=1", "there is no flag --lr; --help lists them all"),
        ("--steps=1e3", "--steps=1e3"),
        ("--steps=-1", "--steps=-1"),
        ("--learning_rate=0,5", "--learning_rate=0,5"),
        ("--layers=a\nb", "--layers"),
        ("--flagfile=nothing.flags", "nothing.flags"),
        ("--flagfile=$NO_SUCH_FOLDER/x.flags", "no environment variable NO_SUCH_FOLDER"),
    ],
)
def test_one_line(argument, said, capsys):
    with pytest.raises(SystemExit) as ended:
        parsing.parse(["experiments/script.py", argument])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("script.py: error: ") and said in line


def test_a_flag_file_after_a_space(tmp_path, values, capsys):
    (tmp_path / "marked.flags").write_bytes(b"\xef\xbb\xbf--steps=5\n")
    rest = parsing.parse(["script.py", "--flagfile", f"{tmp_path}/marked.flags", "--layers=a"])
    assert rest == ["script.py"] and values.steps == 5 and values.layers == ["a"]
    with pytest.raises(SystemExit):
        parsing.parse(["script.py", "--flagfile", "quik"])
    assert "unknown flag file 'quik'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        parsing.parse(["script.py", "--flagfile"])
    assert "flagfile" in capsys.readouterr().err


def test_a_flag_file_that_is_no_text(tmp_path, capsys):
    (tmp_path / "old.flags").write_bytes(b"--layers=f\xfcr\n")
    with pytest.raises(SystemExit) as ended:
        parsing.parse(["script.py", f"--flagfile={tmp_path}/old.flags"])
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_flag_files_of_other_editors_and_within_each_other(tmp_path, values):
    (tmp_path / "inner.flags").write_bytes(
        b"\xef\xbb\xbf--steps=5\r\n  --layers=a,b  \r\n# words\r\n\r\n"
    )
    (tmp_path / "outer.flags").write_text(
        f"--flagfile={tmp_path}/inner.flags\n// words\n--steps=7\n"
    )
    rest = parsing.parse(["script.py", f"--flagfile={tmp_path}/outer.flags", "--learning_rate=2"])
    assert rest == ["script.py"]
    assert (values.steps, values.layers, values.learning_rate) == (7, ["a", "b"], 2.0)


def test_a_flag_file_that_asks_for_itself(tmp_path, capsys):
    file = tmp_path / "own.flags"
    file.write_text(f"--flagfile={file}\n")
    with pytest.raises(SystemExit):
        parsing.parse(["script.py", f"--flagfile={file}"])
    assert "asks for itself" in capsys.readouterr().err


def test_a_script_can_define_its_flags_again_in_the_same_process(values):
    for text in ("a", "b"):
        flags.DEFINE_boolean("traceback", False, "", flag_values=values)
        flags.DEFINE_string("output", None, "", flag_values=values)
        parsing.parse(["script.py", f"--output={text}"])
        assert values.output == text
        parsing.forget_flags()
        assert "output" not in values and "traceback" not in values
