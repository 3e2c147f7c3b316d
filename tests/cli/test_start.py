"""How scripts end: in one line, whatever ended them."""

import pytest
from absl import flags

from depthjax.cli import start


@pytest.mark.parametrize("can_resume", [False, True])
def test_an_interrupted_script_says_so_in_one_line(can_resume, monkeypatch, capsys):
    def interrupted() -> None:
        raise KeyboardInterrupt

    values = flags.FlagValues()
    flags.DEFINE_boolean("traceback", False, "", flag_values=values)
    if can_resume:
        flags.DEFINE_boolean("resume", False, "", flag_values=values)
    values(["script.py"])
    monkeypatch.setattr(start, "FLAGS", values)
    for name in ("use_huge_pages", "enable_compilation_cache"):
        monkeypatch.setattr(start, name, lambda: None)
    monkeypatch.setattr(start, "connect_processes", lambda shared: None)
    monkeypatch.setattr(start.app, "run", lambda main: main(["experiments/script.py"]))
    with pytest.raises(SystemExit) as ended:
        start.run(interrupted)
    assert ended.value.code == 130
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("script.py: interrupted")
    assert ("--resume" in line) == can_resume
